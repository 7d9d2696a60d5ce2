"""Which protocol speaks to which storage element."""

from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote

from router.errors import UserError
from router.model.files import StorageElement
from router.transfer.endpoint import Endpoint
from router.transfer.local import LocalEndpoint


def endpoint(element: StorageElement) -> Endpoint:
    """How to speak to a storage element. Raises UserError for a protocol that nobody here speaks."""
    scheme, _, rest = element.prefix.partition("://")
    match scheme:
        case "file":
            return LocalEndpoint(Path(unquote(rest[rest.find("/") :])))
        case _:
            raise UserError(
                f"The storage element {element.name} has the prefix {element.prefix}: outputs are moved to and from "
                "file:// only. Change the prefix of its site in the settings."
            )


def endpoints(elements: Iterable[StorageElement]) -> dict[str, Endpoint]:
    """How to speak to each storage element, by its name."""
    return {each.name: endpoint(each) for each in elements}
