"""Metrics: what a scrape gives is what Prometheus expects, and no number of sites makes it endless."""

import re
from collections.abc import Iterable
from itertools import repeat

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from router.errors import PoolUnreachable, RouterError
from router.loops.books import Books
from router.loops.pilots import Pilots
from router.loops.runner import Health
from router.loops.stageout import StageOut
from router.loops.write_tests import WriteTests
from router.metrics import MAX_SITES, LoopCollector, serve
from router.model.pilot import GlideinState
from router.model.policy import DemandPolicy, StageOutPolicy
from router.model.site import SiteStatus
from router.model.transfer import Fault, TransferCause
from router.model.usage import Usage
from router.settings import Loop, Settings
from router.testing.backend import FakeBackend
from router.testing.build import a_failure, a_group, a_site, a_world

UNITS = ("seconds", "bytes", "ratio", "celsius")
SMALLER = ("milliseconds", "ms", "minutes", "hours", "mb", "kb", "kilobytes", "megabytes", "percent")


@pytest.fixture
def route(organisation):
    """A router that has placed, moved, refused and lost a pass."""
    organisation.submit()
    made = organisation.route()
    made.step()
    organisation.drain("SITE_A")
    organisation.glidein("SITE_B")
    made.step()
    return made


@pytest.fixture
def pilots(organisation):
    organisation.submit()
    organisation.step()
    backend = FakeBackend()
    made = Pilots(
        organisation.pool, organisation.store, backend, organisation.sites, DemandPolicy(), organisation.clock
    )
    made.step()
    backend.become("a", GlideinState.BUSY)
    made.step()
    return made


@pytest.fixture
def agent(organisation):
    """A stage-out agent to whose one storage outputs can be written, and to the other not."""
    tests = WriteTests(organisation.store, FakeTester(), frozenset(("A", "B")), StageOutPolicy(), organisation.clock)
    made = StageOut(organisation.store, NoMover(), frozenset(), StageOutPolicy(), organisation.clock, tests=tests)
    made.step()
    made.outcomes = {("B", ""): 3, ("B", "quota"): 1}
    made.bytes = {"B": 3000}
    return made


class FakeTester:
    def begin(self, se: str) -> None:
        assert se in ("A", "B")

    def ended(self, wait_s: float):
        return iter([("A", None, 0.25), ("B", Fault(TransferCause.QUOTA, "it is full"), 0.5)])


class NoMover:
    def move(self, wanted) -> None:
        raise AssertionError(wanted)


HEALTH = Health(passes=3, failed=1, last_success=1_700_000_000.0, last_duration_s=0.25, last_error="down")


def scraped(loop, health=HEALTH) -> list[Metric]:
    registry = CollectorRegistry()
    registry.register(LoopCollector(health, loop))
    return list(text_string_to_metric_families(generate_latest(registry).decode()))


def value(families: Iterable[Metric], name: str, **labels: str) -> float:
    (found,) = [
        sample.value
        for family in families
        for sample in family.samples
        if sample.name == name and sample.labels == labels
    ]
    return found


def faults(families: Iterable[Metric]) -> list[str]:
    """What promtool's lint would complain of."""
    return [
        f"{family.name}: {fault}"
        for family in families
        for wrong, fault in (
            (not re.fullmatch(r"glideroute(_[a-z][a-z0-9]*)+", family.name), "is not glideroute_ and words"),
            (not family.documentation or family.documentation.endswith("."), "has no HELP, or one with a point"),
            (set(family.name.split("_")) & {*SMALLER, family.type, "total"}, "names its type or no base unit"),
            (set(family.name.split("_")[:-1]) & set(UNITS), "has a unit that is not last"),
            (not all(map(is_well_named, family.samples, repeat(family.type))), "has an ill-named sample"),
        )
        if wrong
    ]


def is_well_named(sample, kind: str) -> bool:
    labels = all(re.fullmatch(r"[a-z][a-z_]*", label) for label in sample.labels)
    return labels and (kind == "counter") == sample.name.endswith("_total")


@pytest.mark.parametrize("loop", ["route", "pilots", "agent"])
def test_every_metric_is_named_and_explained_as_prometheus_asks(loop, request):
    assert faults(scraped(request.getfixturevalue(loop))) == []


@pytest.mark.parametrize("loop", ["route", "pilots", "agent"])
def test_no_series_is_told_twice(loop, request):
    families = scraped(request.getfixturevalue(loop))
    names = [family.name for family in families]
    assert len(names) == len(set(names))
    series = [(sample.name, *sorted(sample.labels.items())) for family in families for sample in family.samples]
    assert len(series) == len(set(series))


@pytest.mark.parametrize("loop", ["route", "pilots", "agent"])
def test_the_stricter_form_of_openmetrics_is_understood_too(loop, request):
    registry = CollectorRegistry()
    registry.register(LoopCollector(HEALTH, request.getfixturevalue(loop)))
    assert generate_openmetrics(registry).decode().endswith("# EOF\n")


def test_a_router_tells_its_passes_decisions_moves_and_refusals(route):
    families = scraped(route)
    assert value(families, "glideroute_cycles_total", result="ok") == 2
    assert value(families, "glideroute_cycles_total", result="error") == 1
    assert value(families, "glideroute_decisions_total", kind="move", outcome="applied") == 1
    assert value(families, "glideroute_rebrokers_total", reason="site-draining") == 10
    assert value(families, "glideroute_last_cycle_success_timestamp_seconds") == 1_700_000_000.0


def test_a_router_tells_its_last_world(route):
    families = scraped(route)
    assert value(families, "glideroute_jobs", state="idle") == 10
    assert value(families, "glideroute_unplaced_jobs") == 0
    assert value(families, "glideroute_site_cores", site="SITE_B", state="idle") == 8
    assert value(families, "glideroute_site_excluded", site="SITE_A", reason="draining") == 1
    assert value(families, "glideroute_site_excluded", site="SITE_B", reason="draining") == 0


def test_an_agent_tells_what_it_copied_and_where_outputs_can_be_written(agent):
    families = scraped(agent)
    assert value(families, "glideroute_output_copies_total", destination="B", cause="quota") == 1
    assert value(families, "glideroute_output_bytes_total", destination="B") == 3000
    assert value(families, "glideroute_storage_writable", se="A", cause="") == 1
    assert value(families, "glideroute_storage_writable", se="B", cause="quota") == 0
    assert value(families, "glideroute_storage_write_test_seconds", se="B") == 0.5


def test_a_factory_tells_its_glideins_by_site_and_state(pilots):
    families = scraped(pilots)
    assert value(families, "glideroute_glideins", site="SITE_A", state="busy") == 1
    assert value(families, "glideroute_glideins_submitted_total", entry="a") == 2


def test_a_loop_that_has_seen_nothing_yet_tells_so_much(organisation):
    families = scraped(organisation.route(), Health())
    assert faults(families) == []
    assert value(families, "glideroute_cycles_total", result="ok") == 0


def test_the_oldest_job_that_nobody_placed_is_told(route):
    route.world = a_world(
        jobs=(a_group(1, oldest=100), a_group(2, oldest=50), a_group(3, oldest=10, sites=("SITE_A",)))
    )
    families = scraped(route)
    assert value(families, "glideroute_unplaced_jobs") == 20
    assert value(families, "glideroute_oldest_unrouted_job_timestamp_seconds") == 50


def test_more_sites_than_a_dashboard_can_bear_share_one_label(route):
    many = [a_site(f"SITE_{n:04d}", cores=2, idle_cores=1, running_jobs=1) for n in range(MAX_SITES + 50)]
    route.world = a_world(*many)
    families = scraped(route)
    assert value(families, "glideroute_site_jobs", site="other", state="running") == 50
    labels = {sample.labels["site"] for family in families for sample in family.samples if "site" in sample.labels}
    assert len(labels) == MAX_SITES + 1


def test_hostile_words_break_no_line_and_no_label(route):
    route.counts.moves = {'a"b\\c\nd{}': 1}
    route.world = a_world(a_site(status=SiteStatus.OFFLINE, failure=a_failure(message='"\n# HELP')))
    families = scraped(route)
    assert value(families, "glideroute_rebrokers_total", reason='a"b\\c\nd{}') == 1


def test_a_port_that_is_taken_is_told_in_words(route, tmp_path):
    serve("router", Settings(tmp_path), HEALTH, route)
    host, _, port = (tmp_path / "run" / "router.address").read_text().strip().partition(":")
    assert host == "127.0.0.1"
    with pytest.raises(
        RouterError, match=rf"cannot be served at 127.0.0.1:{port}: .*Choose another router.metrics_port"
    ):
        serve("router", Settings(tmp_path, router=Loop(metrics_port=int(port))), HEALTH, route)


def test_sources_that_are_not_believed_are_told(organisation, route):
    organisation.pool.break_at("slots", PoolUnreachable("collector down"))
    route.step()
    families = scraped(route)
    assert value(families, "glideroute_input_stale", input="collector") == 1
    assert value(families, "glideroute_input_stale", input="schedd") == 0
    assert value(families, "glideroute_input_errors_total", input="collector") == 1
    assert value(families, "glideroute_input_last_success_timestamp_seconds", input="schedd") == route.world.now


def test_what_sites_gave_today_is_told_good_and_wasted(route):
    nobody = None
    route.books = Books(nobody, nobody, nobody, 1.0, 1.0, 1.0, done=5.0)
    route.books.today = {"SITE_A": Usage(runs=2, wall_s=100, wasted_s=30), "": Usage(wall_s=7)}
    found = scraped(route)
    assert value(found, "glideroute_accounting_last_success_timestamp_seconds") == 5.0
    assert value(found, "glideroute_site_used_core_seconds", site="SITE_A", outcome="good") == 70
    assert value(found, "glideroute_site_used_core_seconds", site="SITE_A", outcome="wasted") == 30
    assert value(found, "glideroute_site_used_core_seconds", site="none", outcome="good") == 7
    route.books.today = {f"S{number}": Usage(wall_s=1) for number in range(MAX_SITES + 9)}
    assert value(scraped(route), "glideroute_site_used_core_seconds", site="other", outcome="good") == 9
