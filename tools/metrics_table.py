"""Print the table of metrics that docs/operations.md holds; the daemons' collectors themselves are asked."""

from typing import Any

from prometheus_client.core import Metric

from router.loops.books import Books
from router.loops.counts import Counts
from router.loops.fetches import FetchReader
from router.loops.following import Following
from router.loops.pilots import Pilots
from router.loops.placing import Placing
from router.loops.route import Route
from router.loops.runner import Health
from router.loops.stageout import StageOut
from router.loops.write_tests import WriteTests
from router.metrics import LoopCollector
from router.model.pilot import Entry, EntryState, GlideinState
from router.model.placement import Holding, PlacementPolicy
from router.model.policy import BrokerPolicy, DemandPolicy, StageOutPolicy
from router.model.site import Site
from router.model.transfer import StageOutCount, TransferState, WriteTest
from router.model.usage import Usage
from router.model.world import World

SEEN = World(
    now=0.0,
    sites=(Site("SITE"),),
    entries=(EntryState(Entry("entry", "SITE"), ((GlideinState.IDLE, 1),)),),
    read=(("input", 0.0),),
)
"""One site with one entry, so that every metric has a sample and shows its labels."""
DONE = Counts({("place", "applied"): 1}, {"tag": 1}, {"tag": 1}, {("cause", "user"): 1}, {"tag": 1})
DAEMONS = 3
SUFFIX = {"counter": "_total", "info": "_info"}
HEAD = ("| metric | type | labels | what | daemon |", "|---|---|---|---|---|")


def table() -> list[str]:
    """The table's lines, in the order the collectors yield the metrics."""
    found: dict[str, tuple[Metric, list[str]]] = {}
    for daemon, loop in (("router", _route()), ("factory", _pilots()), ("stageout", _stage_out())):
        for metric in LoopCollector(Health(), loop).collect():
            found.setdefault(metric.name, (metric, []))[1].append(daemon)
    return [*HEAD, *(_row(metric, daemons) for metric, daemons in found.values())]


def _row(metric: Metric, daemons: list[str]) -> str:
    labels = sorted({label for sample in metric.samples for label in sample.labels})
    cells = (
        f"`{metric.name}{SUFFIX.get(metric.type, '')}`",
        metric.type,
        ", ".join(f"`{label}`" for label in labels),
        metric.documentation,
        "all" if len(daemons) == DAEMONS else ", ".join(daemons),
    )
    return f"| {' | '.join(cells)} |".replace("|  |", "| |")


def _route() -> Route:
    """A router that has seen and done something; nothing of it is called."""
    nobody: Any = None
    books = Books(nobody, nobody, nobody, 0.0, 0.0, 0.0, today={"SITE": Usage()})
    read = FetchReader(nobody, nobody, frozenset(), nobody, counts={("SE", "missing"): 1})
    made = Route(nobody, nobody, nobody, (), BrokerPolicy(), nobody, world=SEEN, counts=DONE, books=books, fetches=read)
    made.careful.errors["input"] = 1
    holding = Holding("/d", "SE", "SITE", "", 0.0, 0.0, 1, 1)
    made.placing = Placing(nobody, {}, PlacementPolicy(), BrokerPolicy(), nobody, (holding,), {("place", "SITE"): 1})
    made.following = Following((), nobody, nobody, failed={"service": 1})
    return made


def _pilots() -> Pilots:
    """A factory that has seen and done something; nothing of it is called."""
    nobody: Any = None
    return Pilots(nobody, nobody, nobody, (), DemandPolicy(), nobody, world=SEEN, started={"entry": 1})


def _stage_out() -> StageOut:
    """A stage-out agent that has done something; nothing of it is called."""
    nobody: Any = None
    waiting = StageOutCount(TransferState.WAITING, "SE", "", "", 1, 0.0)
    done = {("SE", ""): 1}
    known = (nobody, nobody, frozenset[str](), StageOutPolicy(), nobody)
    tests = WriteTests(nobody, nobody, (), StageOutPolicy(), nobody, (WriteTest("SE", 0.0, 0.0, 0.0),))
    made = StageOut(*known, tests=tests, outcomes=done, bytes={"SE": 1}, counts=(waiting,))
    made.placements = StageOut(*known, outcomes=done)
    return made


if __name__ == "__main__":
    print("\n".join(table()))  # noqa: T201 - it is what this program is for
