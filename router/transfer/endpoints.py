"""Which protocol speaks to which storage element."""

import os
import stat
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from urllib.parse import unquote

from router.errors import UserError
from router.model.files import StorageElement
from router.model.transfer import TransferCause, TransferError
from router.transfer.endpoint import Endpoint
from router.transfer.local import LocalEndpoint
from router.transfer.s3 import S3Endpoint
from router.transfer.webdav import WebDavEndpoint
from router.transfer.xrootd import XrootdEndpoint


def endpoint(element: StorageElement, token_file: str = "", timeout_s: float = 60.0) -> Endpoint:
    """How to speak to a storage element, with the token or the keys in a file. Raises UserError as `speaking` does."""
    return speaking(element, shown(element.name, token_file, wants_keys(element)), timeout_s)


def wants_keys(element: StorageElement) -> bool:
    """Whether a storage element is shown keys (S3) and no token."""
    return element.prefix.partition("://")[0] in ("s3", "s3s")


def speaking(element: StorageElement, token: Callable[[], str], timeout_s: float) -> Endpoint:
    """How to speak to a storage element. Raises UserError for a protocol that nobody here speaks."""
    scheme, _, rest = element.prefix.partition("://")
    match scheme:
        case "file":
            return LocalEndpoint(Path(unquote(rest[rest.find("/") :])))
        case "http" | "https" | "dav" | "davs":
            return WebDavEndpoint(element.prefix, token, timeout_s)
        case "root" | "roots" | "xroot" | "xroots":
            return XrootdEndpoint(element.prefix, token, timeout_s)
        case "s3" | "s3s":
            return S3Endpoint(element.prefix, token, timeout_s)
        case _:
            raise UserError(
                f"The storage element {element.name} has the prefix {element.prefix}: outputs are moved to and from "
                "file, http, https, dav, davs, root, roots, s3 and s3s. Change the prefix of its site in the settings."
            )


def endpoints(
    elements: Iterable[StorageElement], token_files: Mapping[str, str], timeout_s: float
) -> dict[str, Endpoint]:
    """How to speak to each storage element, by its name; a token file is named by the element's name."""
    return {each.name: endpoint(each, token_files.get(each.name, ""), timeout_s) for each in elements}


def shown(whose: str, path: str, private: bool = False) -> Callable[[], str]:
    """What reads the token, or the keys, of the moment from a file: somebody else renews them.

    It raises TransferError where they cannot be read, or are `private` and others can read them. Without a path it
    gives nothing.
    """

    def read() -> str:
        if not path:
            return ""
        try:
            with Path(path).open() as file:
                if private and os.fstat(file.fileno()).st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                    words = f"the keys of {whose} are not used: others may read them; then: chmod 600 {path}"
                    raise TransferError(TransferCause.PERMISSION, words)
                return file.read().strip()
        except OSError as error:
            words = f"the token of {whose} cannot be read: {error.strerror}: {path}"
            raise TransferError(TransferCause.PERMISSION, words) from None

    return read
