"""The program of the child process: reads operations from standard input, does them with the bindings, answers.

Plain data only crosses the pipe. Whatever HTCondor raises becomes a kind and its text: it raises one class for
everything, so the kind is read from the text.
"""

import json
import os
import sys
import time
from typing import Any

import htcondor2

from router.pool import accounting, operations
from router.pool.channel import HEADER, write_frame
from router.pool.operations import forget, missing_token

OPERATIONS = {**operations.OPERATIONS, **accounting.OPERATIONS}

UNKNOWN_SESSION = "rejected our session"
"""A daemon that was restarted says so before it does anything."""
UNREACHABLE = (
    "unable to locate",
    "failed to connect",
    "can't find address",
    "failed to fetch ads",
    "failed communication",
    "timed out",
    "failed to read",
    "failed to receive",
    "failed to send",
    "resume session",
    UNKNOWN_SESSION,
    "connection closed",
    "connection reset",
    "connection refused",
)
DENIED = ("denied", "not authorized", "permission", "authentication", "not permitted", "failed to start a session")


def main() -> None:
    """Serve until standard input ends."""
    # HTCondor writes warnings to descriptor 1; they must not get between the frames.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    requests = sys.stdin.buffer
    while header := requests.read(HEADER.size):
        text = requests.read(HEADER.unpack(header)[0])
        write_frame(answers, answer(text))


def answer(text: bytes) -> dict[str, Any]:
    """What one request gives."""
    request = json.loads(text)
    if request["until"] is not None and time.monotonic() >= request["until"]:
        return {"ok": False, "kind": "late", "message": "the lease has run out"}
    try:
        return {"ok": True, "value": _done(request)}
    except htcondor2.HTCondorException as error:
        forget()
        return {"ok": False, **_told(" ".join(str(error).split()))}
    except Exception as error:  # the parent must get an answer, whatever went wrong
        return {"ok": False, "kind": "failed", "message": f"{type(error).__name__}: {error}"}


def _done(request: dict[str, Any]) -> Any:
    """What the operation gives; it is begun again where a daemon that was restarted does not know our session."""
    operation = OPERATIONS[request["operation"]]
    try:
        return operation(**request["arguments"])
    except htcondor2.HTCondorException as error:
        if UNKNOWN_SESSION not in str(error).lower():
            raise
    forget()
    return operation(**request["arguments"])


def _told(text: str) -> dict[str, str]:
    lower = text.lower()
    if any(words in lower for words in DENIED):
        return {"kind": "denied", "message": text}
    if not any(words in lower for words in UNREACHABLE):
        return {"kind": "refused", "message": text}
    # A daemon that does not know who asks looks like one that is not there.
    if without := missing_token():
        return {"kind": "denied", "message": f"there is no token in {without}"}
    return {"kind": "unreachable", "message": text}


if __name__ == "__main__":
    main()
