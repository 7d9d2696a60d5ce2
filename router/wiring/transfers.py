"""What brings outputs to their destinations: the agent, and what it has copied by others."""

from collections.abc import Mapping

from router.errors import UserError
from router.loops.parts import Parts
from router.loops.purging import Purge
from router.loops.runner import SystemClock
from router.loops.stageout import StageOut
from router.loops.write_tests import WriteTests
from router.model.files import StorageElement
from router.settings import Settings
from router.transfer.carrying import FtsCarrier, within_reach
from router.transfer.copying import Copier
from router.transfer.endpoint import Endpoint
from router.transfer.endpoints import endpoints, shown
from router.transfer.fts import Fts
from router.transfer.parts import PartStore
from router.transfer.writing import WriteTester
from router.wiring.connections import leadership, store


def stageout(settings: Settings) -> StageOut:
    """The stage-out loop."""
    memory = store(settings)
    leader = leadership(settings, "stageout", settings.stageout, memory)
    elements = settings.elements
    tokens = {site.storage.name: site.token_file for site in settings.sites if site.storage}
    reached = endpoints(elements.values(), tokens, settings.transfers.timeout_s)
    mover = Copier(elements, reached, settings.transfers.parallel)
    known = (mover, frozenset(elements), settings.transfers, SystemClock(), leader)
    parts = Parts(memory, PartStore(reached), elements, SystemClock())
    disks = frozenset(site.storage.name for site in settings.sites if site.storage and not site.limits.tape)
    tests = WriteTests(memory, WriteTester(reached), disks, settings.transfers, SystemClock())
    purge = Purge(memory, elements, settings.transfers.purge_s, SystemClock())
    return StageOut(
        memory,
        *known,
        sent=memory,
        carrier=_carrier(settings, elements, reached),
        first=lambda: (purge.step(), parts.step()),
        tests=tests,
        placements=StageOut(memory.placed_transfers(), *known),
    )


def _carrier(
    settings: Settings, elements: Mapping[str, StorageElement], reached: Mapping[str, Endpoint]
) -> FtsCarrier | None:
    """FTS, where the settings name it. Raises UserError for destinations that it is to serve and cannot."""
    to = frozenset(site.storage.name for site in settings.sites if site.storage and site.by_fts)
    if beyond := sorted(to - within_reach(elements)):
        prefix = elements[beyond[0]].prefix
        raise UserError(f"FTS cannot bring outputs to {beyond[0]}: it knows no address such as {prefix}.")
    if not settings.fts.url:
        if to:
            raise UserError(
                f"FTS is to bring outputs to {min(to)}, and the settings have no section fts that says where it is."
            )
        return None
    given = settings.fts
    service = Fts(given.url, shown("FTS", given.token_file), given.proxy_file, settings.transfers.timeout_s)
    files = {site.storage.name: site.token_file for site in settings.sites if site.storage and site.token_file}
    by_token = files.items() if given.token_file else ()
    tokens = {name: shown(name, path) for name, path in by_token}
    return FtsCarrier(service, elements, reached, tokens, to, settings.transfers.sent_s)
