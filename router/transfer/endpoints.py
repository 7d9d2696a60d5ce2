"""Which protocol speaks to which storage element."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from urllib.parse import unquote

from router.errors import UserError
from router.model.files import StorageElement
from router.model.transfer import TransferCause, TransferError
from router.transfer.endpoint import Endpoint
from router.transfer.local import LocalEndpoint
from router.transfer.webdav import WebDavEndpoint
from router.transfer.xrootd import XrootdEndpoint


def endpoint(element: StorageElement, token_file: str = "", timeout_s: float = 60.0) -> Endpoint:
    """How to speak to a storage element, with the token in a file. Raises UserError as `speaking` does."""
    return speaking(element, _token(element.name, token_file), timeout_s)


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
        case _:
            raise UserError(
                f"The storage element {element.name} has the prefix {element.prefix}: outputs are moved to and from "
                "file, http, https, dav, davs, root and roots. Change the prefix of its site in the settings."
            )


def endpoints(
    elements: Iterable[StorageElement], token_files: Mapping[str, str], timeout_s: float
) -> dict[str, Endpoint]:
    """How to speak to each storage element, by its name; a token file is named by the element's name."""
    return {each.name: endpoint(each, token_files.get(each.name, ""), timeout_s) for each in elements}


def _token(element: str, path: str) -> Callable[[], str]:
    """What reads the token of the moment: somebody else renews it."""

    def read() -> str:
        if not path:
            return ""
        try:
            return Path(path).read_text().strip()
        except OSError as error:
            words = f"the token of {element} cannot be read: {error.strerror}: {path}"
            raise TransferError(TransferCause.PERMISSION, words) from None

    return read
