"""Secrets taken out of whatever is written for people: logs, messages, tracebacks."""

import logging
import re
import sys
import traceback
from types import TracebackType

HIDDEN = "[secret]"
_PATTERNS = (
    # JSON web tokens: IDTOKENs, SciTokens. The head of each is JSON in base64, and so begins with `eyJ`.
    (re.compile(r"eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?"), HIDDEN),
    (re.compile(r"-----BEGIN ([A-Z ]*PRIVATE KEY)-----.*?(?:-----END \1-----|\Z)", re.DOTALL), HIDDEN),
    (re.compile(r"(\b[a-zA-Z][a-zA-Z0-9+.-]*://[^\s/:@]*:)[^\s/@]+(?=@)"), rf"\1{HIDDEN}"),
    # HTCondor's claim ids, whose last part is the right to the slot.
    (re.compile(r"(>#\d+#\d+#)\S+"), rf"\1{HIDDEN}"),
    (re.compile(r"(?i)(\bbearer\s+)[A-Za-z0-9._~+/=-]{8,}"), rf"\1{HIDDEN}"),
    (
        re.compile(
            r"(?i)([?&;\s\"']?\b(?:[a-z_-]*password|passwd|secret|aws_secret_access_key|aws_session_token|(?:access|api|auth)[_-]?(?:token|key)|x-amz-signature|"
            r"authz|sig)\b[\"']?\s*[=:]\s*[\"']?)(?!\[secret\])[^\s\"'&;,]+"
        ),
        rf"\1{HIDDEN}",
    ),
)


def printable(words: str) -> str:
    """Words that others chose, with nothing in them that a terminal or its reader is led by."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in words)


def redacted(text: str) -> str:
    """The text without tokens, private keys, passwords in URLs, and values that are called secret."""
    for pattern, instead in _PATTERNS:
        text = pattern.sub(instead, text)
    return text


class Formatter(logging.Formatter):
    """Formats a record whole, with its arguments and traceback, and then takes the secrets out.

    What a stranger's words would have in a line of their own stands indented: no record can be forged (A37).
    """

    def format(self, record: logging.LogRecord) -> str:
        """The record as it is written."""
        return "\n  ".join(printable(line) for line in redacted(super().format(record)).split("\n"))


def set_up_log() -> None:
    """Log to standard error, without secrets, tracebacks that end the program included."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.INFO)


def show_exception(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print what ends the program, for sys.excepthook."""
    sys.stderr.write(redacted("".join(traceback.format_exception(kind, error, trace))))
