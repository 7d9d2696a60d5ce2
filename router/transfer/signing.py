"""Signing a request to S3: AWS Signature Version 4, with the sum of what is sent.

Source: "Authenticating Requests (AWS Signature Version 4)" of the Amazon S3 API Reference.
"""

import configparser
import hashlib
import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from router.model.transfer import TransferCause, TransferError

ALGORITHM = "AWS4-HMAC-SHA256"
REGION = "us-east-1"
"""What servers without regions are spoken to with."""


@dataclass(frozen=True, slots=True)
class Keys:
    """What one proves with who asks."""

    access: str
    secret: str = field(repr=False)
    session: str = field(default="", repr=False)
    region: str = REGION

    @staticmethod
    def of(text: str) -> "Keys":
        """The keys in the section `default` of a credentials file, in the form that AWS's own clients read.

        Raises TransferError, which repeats nothing of it.
        """
        parser = configparser.ConfigParser(interpolation=None)
        try:
            parser.read_string(text)
            told = parser["default"]
            return Keys(
                told["aws_access_key_id"],
                told["aws_secret_access_key"],
                told.get("aws_session_token", ""),
                told.get("region", REGION),
            )
        except (configparser.Error, KeyError):
            words = "the file with the keys has no section [default] with aws_access_key_id and aws_secret_access_key"
            raise TransferError(TransferCause.PERMISSION, words) from None


def escaped(text: str, safe: str = "") -> str:
    """As S3 wants names in addresses: all but letters, digits and `-_.~` as their bytes."""
    return quote(text, safe=safe)


def query_of(asked: Mapping[str, str]) -> str:
    """The query of an address, in the order in which it is signed."""
    return "&".join(f"{escaped(name)}={escaped(value)}" for name, value in sorted(asked.items()))


def signed(keys: Keys, method: str, path: str, query: str, headers: Mapping[str, str], body_sum: str) -> dict[str, str]:
    """The headers with which a request goes out now; `path` is escaped, `headers` has the host.

    `body_sum` is the SHA-256 of what is sent, which the server compares with what it gets.
    """
    now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    told = {name.lower(): value for name, value in headers.items()}
    told |= {"x-amz-date": now, "x-amz-content-sha256": body_sum}
    if keys.session:
        told["x-amz-security-token"] = keys.session
    names = sorted(told)
    asked = "\n".join(
        (method, path, query, *(f"{name}:{told[name].strip()}" for name in names), "", ";".join(names), body_sum)
    )
    scope = f"{now[:8]}/{keys.region}/s3/aws4_request"
    text = "\n".join((ALGORITHM, now, scope, hashlib.sha256(asked.encode()).hexdigest()))
    key = f"AWS4{keys.secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    told["authorization"] = (
        f"{ALGORITHM} Credential={keys.access}/{scope}, SignedHeaders={';'.join(names)}, Signature={signature}"
    )
    return told
