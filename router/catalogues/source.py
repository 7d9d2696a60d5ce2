"""A data service as the rest of glideroute asks it: its plug-in found, called with a deadline, its answer checked."""

import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points

from router.catalogues.asking import Deadline, Question
from router.catalogues.checking import Checker
from router.errors import RouterError, UserError
from router.model.data_service import ServiceAnswer, ServiceSettings
from router.model.files import Located, StorageElement
from router.ports.data_service import DataService, Registrar

GROUP = "glideroute.catalogues"
"""Where packages offer their plug-ins."""

Connect = Callable[[ServiceSettings], DataService]
"""What an entry point names."""


class Source:
    """One data service; its plug-in is loaded when it is first asked."""

    def __init__(
        self, settings: ServiceSettings, elements: Mapping[str, StorageElement], connect: Connect | None = None
    ):
        """Ask the service of `settings` for files at the declared storage `elements`, by their names.

        `connect` is its plug-in; None: the one that the settings name.
        """
        self.settings = settings
        self._elements = elements
        self._connect = connect
        self._service: DataService | None = None
        self._deadline = Deadline(f"The data service {settings.name}", settings.deadline_s)

    def ask(self, dataset: str) -> ServiceAnswer:
        """What it tells of a dataset, checked."""
        return self.begin(dataset).answer(self.settings.deadline_s)

    def begin(self, dataset: str) -> Question[ServiceAnswer]:
        """The same, to be asked for later. Raises TemporaryError while an earlier question is not answered."""
        until = time.monotonic() + self.settings.deadline_s

        def call() -> ServiceAnswer:
            checker = Checker(self.settings, dataset, self._elements)
            return checker.check(self._connected().files(dataset), lambda: time.monotonic() < until)

        return self._deadline.begin(call)

    def register(self, dataset: str, files: Sequence[Located]) -> None:
        """Give it files."""
        service = self._deadline.ask(self._connected)
        if not isinstance(service, Registrar):
            raise UserError(f"The data service {self.settings.name} takes no files: its plug-in has no `register`.")
        taking = service.register
        self._deadline.ask(lambda: taking(dataset, files))

    def _connected(self) -> DataService:
        if self._service is None:
            connect = self._connect or plugin(self.settings)
            self._service = connect(self.settings)
        return self._service


def plugin(settings: ServiceSettings) -> Connect:
    """The plug-in of a service. Raises UserError where none, or more than one package offers it."""
    found = entry_points(group=GROUP, name=settings.plugin)
    offers = {(each.value, _package(each)): each for each in found}
    field = f"data_services.{settings.name}.plugin"
    if not offers:
        known = ", ".join(sorted({each.name for each in entry_points(group=GROUP)})) or "none"
        raise UserError(
            f"{field}: no installed package offers {settings.plugin!r} in the group {GROUP}. There are: {known}. "
            "Install the package beside glideroute."
        )
    if len(offers) > 1:
        packages = ", ".join(sorted(package for _, package in offers))
        raise UserError(f"{field}: {settings.plugin!r} is offered by {packages}. Keep one of them.")
    [offer] = offers.values()
    try:
        connect: Connect = offer.load()
    except Exception as error:  # the module is somebody else's and may raise anything
        raise RouterError(f"The plug-in {settings.plugin!r} of {_package(offer)} cannot be loaded: {error!r}") from None
    return connect


def _package(offer: EntryPoint) -> str:
    return offer.dist.name if offer.dist else "an unnamed package"
