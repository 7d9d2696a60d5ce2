"""Prometheus metrics: read from the last World at scrape time, one registry and one port a daemon."""

import os
from collections.abc import Iterable, Iterator
from importlib.metadata import version

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from router.decide.health import OPINIONS
from router.decide.lost_input import stranded
from router.errors import RouterError
from router.loops.books import Books
from router.loops.fetches import FetchReader
from router.loops.following import Following
from router.loops.pilots import Pilots
from router.loops.placing import Placing
from router.loops.route import Route
from router.loops.runner import Health
from router.loops.stageout import StageOut
from router.model.job import JobState
from router.model.pilot import GlideinState
from router.model.site import Site, SiteStatus
from router.model.transfer import WriteTest
from router.model.world import World
from router.settings import Settings

MAX_SITES = 500
"""More sites than this share the label `other`: each site is several series."""


class LoopCollector(Collector):
    """Tells how a loop fares and what it saw last; asks nobody and computes at scrape time."""

    def __init__(self, health: Health, loop: Route | Pilots | StageOut) -> None:
        """Read `health` and `loop` at every scrape."""
        self._health, self._loop = health, loop

    def collect(self) -> Iterator[Metric]:
        """All metrics of the daemon."""
        yield InfoMetricFamily(
            "glideroute_build",
            "Versions of glideroute and of HTCondor's bindings",
            {"version": version("glideroute"), "htcondor_version": version("htcondor")},
        )
        yield from _loop(self._health)
        leads = 1 if self._loop.leader.leads else 0
        yield GaugeMetricFamily("glideroute_leader", "1 while this daemon holds the lease, 0 while it stands by", leads)
        match self._loop:
            case Route():
                yield from _decisions(self._loop)
                yield from _inputs(self._loop)
                yield from _judged(self._loop)
                yield from _stranded(self._loop.world)
                yield from _used(self._loop.books)
                yield from _services(self._loop.following)
                yield from _fetched(self._loop.fetches)
                yield from _placed(self._loop.placing)
            case Pilots():
                yield from _glideins(self._loop)
            case StageOut():
                yield from _transfers(self._loop)
        if not isinstance(self._loop, StageOut) and self._loop.world:
            yield from _world(self._loop.world)


def _loop(health: Health) -> Iterator[Metric]:
    passes = CounterMetricFamily("glideroute_cycles", "Passes of the loop by result", labels=["result"])
    passes.add_metric(["ok"], health.passes - health.failed)
    passes.add_metric(["error"], health.failed)
    yield passes
    text = "When a pass last ended, well or not"
    yield GaugeMetricFamily("glideroute_heartbeat_timestamp_seconds", text, health.last_beat)
    last = "glideroute_last_cycle_success_timestamp_seconds"
    yield GaugeMetricFamily(last, "When a pass last ended well", health.last_success)
    yield GaugeMetricFamily("glideroute_last_cycle_duration_seconds", "How long it took", health.last_duration_s)


def _decisions(loop: Route) -> Iterator[Metric]:
    made = CounterMetricFamily("glideroute_decisions", "Decisions by kind and outcome", labels=["kind", "outcome"])
    for (kind, outcome), count in sorted(loop.counts.decisions.items()):
        made.add_metric([kind, outcome], count)
    yield made
    moved = CounterMetricFamily("glideroute_rebrokers", "Jobs moved to other sites, by reason", labels=["reason"])
    for reason, count in sorted(loop.counts.moves.items()):
        moved.add_metric([reason], count)
    yield moved
    widened = CounterMetricFamily("glideroute_widened", "Jobs that got further sites, by reason", labels=["reason"])
    for reason, count in sorted(loop.counts.widened.items()):
        widened.add_metric([reason], count)
    yield widened
    text = "Jobs that one pass may edit; less while the schedd is slow"
    yield GaugeMetricFamily("glideroute_pass_limit_jobs", text, loop.pressure.limit)
    failed = CounterMetricFamily(
        "glideroute_job_failures", "Jobs that failed, by cause and by whose fault it is", labels=["cause", "fault"]
    )
    for labels, count in sorted(loop.counts.failures.items()):
        failed.add_metric(labels, count)
    yield failed
    text = "Sites refused in decisions, by reason"
    refused = CounterMetricFamily("glideroute_candidates_rejected", text, labels=["reason"])
    for reason, count in sorted(loop.counts.refusals.items()):
        refused.add_metric([reason], count)
    yield refused


def _stranded(world: World | None) -> Iterator[Metric]:
    text = "Idle jobs of whose input no site has a copy left"
    yield GaugeMetricFamily("glideroute_jobs_without_input", text, stranded(world) if world else 0)


def _fetched(fetches: FetchReader | None) -> Iterator[Metric]:
    """How storage elements serve jobs."""
    text = "Tries of jobs to fetch a copy of an input by logical name; the cause is empty where it came"
    tried = CounterMetricFamily("glideroute_input_copies", text, labels=["se", "cause"])
    for labels, count in sorted(fetches.counts.items()) if fetches else ():
        tried.add_metric(labels, count)
    yield tried


def _judged(loop: Route) -> Iterator[Metric]:
    """What the router itself holds against sites."""
    text = "Sites that the router would close and leaves open, since it would close too many: the circuit breaker"
    yield GaugeMetricFamily("glideroute_sites_spared", text, len(loop.health.spared))
    text = "1 while the router itself holds that reason against a site"
    judged = GaugeMetricFamily("glideroute_site_judged", text, labels=["site", "reason"])
    for site in loop.world.sites[:MAX_SITES] if loop.world else ():
        held = loop.health.ailing.get(site.name)
        for tag in sorted(OPINIONS):
            judged.add_metric([site.name, tag], int(held is not None and held.tag == tag))
    yield judged
    text = "Nodes that fail every job and are not held against their site"
    holes = GaugeMetricFamily("glideroute_black_hole_nodes", text, labels=["site"])
    for site in loop.world.sites[:MAX_SITES] if loop.world else ():
        holes.add_metric([site.name], len(site.black_holes))
    yield holes


def _inputs(loop: Route) -> Iterator[Metric]:
    name = "glideroute_input_last_success_timestamp_seconds"
    read = GaugeMetricFamily(name, "When each source was last read and believed", labels=["input"])
    stale = GaugeMetricFamily("glideroute_input_stale", "1 while a source is not believed", labels=["input"])
    doubted = dict(loop.world.stale) if loop.world else {}
    for source, at in loop.world.read if loop.world else ():
        read.add_metric([source], at)
        stale.add_metric([source], int(source in doubted))
    failed = CounterMetricFamily("glideroute_input_errors", "Answers that did not come", labels=["input"])
    for source, count in sorted(loop.careful.errors.items()):
        failed.add_metric([source], count)
    yield from (read, stale, failed)


def _used(books: Books | None) -> Iterator[Metric]:
    """What sites gave today."""
    name = "glideroute_accounting_last_success_timestamp_seconds"
    yield GaugeMetricFamily(name, "When usage was last imported; 0: never", books.done if books else 0.0)
    text = "Time of cores held by runs that ended today (UTC), good and wasted"
    used = GaugeMetricFamily("glideroute_site_used_core_seconds", text, labels=["site", "outcome"])
    totals: dict[tuple[str, str], int] = {}
    today = sorted((books.today or {}).items() if books else ())
    for number, (site, usage) in enumerate(today):
        label = (site or "none") if number < MAX_SITES else "other"
        for outcome, seconds in (("good", usage.wall_s - usage.wasted_s), ("wasted", usage.wasted_s)):
            totals[label, outcome] = totals.get((label, outcome), 0) + seconds
    for labels, seconds in totals.items():
        used.add_metric(labels, seconds)
    yield used


def _services(following: Following | None) -> Iterator[Metric]:
    """How data services answer."""
    text = "Answers of data services that did not come or were not believed"
    failed = CounterMetricFamily("glideroute_data_service_errors", text, labels=["service"])
    for service, count in sorted(following.failed.items() if following else ()):
        failed.add_metric([service], count)
    yield failed


def _placed(placing: Placing | None) -> Iterator[Metric]:
    """Further copies of datasets."""
    text = "Copies of datasets that were decided on for waiting jobs (place), or taken away unused (expire)"
    decided = CounterMetricFamily("glideroute_placement_decisions", text, labels=["decision", "site"])
    for labels, count in sorted(placing.decided.items() if placing else ()):
        decided.add_metric(labels, count)
    yield decided
    text = "Bytes of datasets whose copies were made, or are being made, for waiting jobs"
    held = GaugeMetricFamily("glideroute_placed_bytes", text, labels=["site"])
    totals: dict[str, int] = {}
    for each in placing.holdings if placing else ():
        totals[each.site] = totals.get(each.site, 0) + each.bytes
    for site, size in sorted(totals.items()):
        held.add_metric([site], size)
    yield held


def _glideins(loop: Pilots) -> Iterator[Metric]:
    started = CounterMetricFamily("glideroute_glideins_submitted", "Glideins submitted by entry", labels=["entry"])
    for entry, count in sorted(loop.started.items()):
        started.add_metric([entry], count)
    yield started
    glideins = GaugeMetricFamily("glideroute_glideins", "Glideins by site and state", labels=["site", "state"])
    totals: dict[tuple[str, str], int] = {}
    for entry_state in loop.world.entries if loop.world else ():
        for state in GlideinState:
            key = (entry_state.entry.site, str(state))
            totals[key] = totals.get(key, 0) + entry_state.count(state)
    for (site, state_name), count in sorted(totals.items()):
        glideins.add_metric([site, state_name], count)
    yield glideins


def _transfers(loop: StageOut) -> Iterator[Metric]:
    """What the stage-out agent did, and how far the outputs are."""
    text = "Copies of outputs by destination and cause of failure; the cause is empty where they arrived"
    copies = CounterMetricFamily("glideroute_output_copies", text, labels=["destination", "cause"])
    for labels, count in sorted(loop.outcomes.items()):
        copies.add_metric(labels, count)
    yield copies
    text = "Bytes that arrived at each destination"
    arrived = CounterMetricFamily("glideroute_output_bytes", text, labels=["destination"])
    for destination, size in sorted(loop.bytes.items()):
        arrived.add_metric([destination], size)
    yield arrived
    text = "Copies of files of datasets for waiting jobs; the cause of failure is empty where they arrived"
    placed = CounterMetricFamily("glideroute_placed_copies", text, labels=["destination", "cause"])
    for labels, count in sorted(loop.placements.outcomes.items() if loop.placements else ()):
        placed.add_metric(labels, count)
    yield placed
    yield from _written(loop.tests.last if loop.tests else ())
    text = "Outputs that are to move, by how far they are"
    outputs = GaugeMetricFamily("glideroute_outputs", text, labels=["destination", "state"])
    totals: dict[tuple[str, str], int] = {}
    for each in loop.counts:
        key = (each.destination, str(each.state))
        totals[key] = totals.get(key, 0) + each.outputs
    for labels, count in sorted(totals.items()):
        outputs.add_metric(labels, count)
    yield outputs


def _written(tests: Iterable[WriteTest]) -> Iterator[Metric]:
    """Whether outputs can be written to storage, as the last tests say."""
    text = "Whether a test file could be written, read back and removed; 0: not, for the cause"
    passed = GaugeMetricFamily("glideroute_storage_writable", text, labels=["se", "cause"])
    text = "How long the test took"
    took = GaugeMetricFamily("glideroute_storage_write_test_seconds", text, labels=["se"])
    for each in tests:
        passed.add_metric([each.se, each.cause], 0 if each.cause else 1)
        took.add_metric([each.se], each.took_s)
    yield from (passed, took)


def _world(world: World) -> Iterator[Metric]:
    counts = dict.fromkeys(JobState, 0)
    unplaced = 0
    oldest = 0
    for group in world.jobs:
        counts[group.state] += group.count
        if group.is_idle and not group.sites:
            unplaced += group.count
            oldest = min(oldest or group.oldest, group.oldest)
    jobs = GaugeMetricFamily("glideroute_jobs", "Jobs in the queue by state", labels=["state"])
    for state in (JobState.IDLE, JobState.RUNNING, JobState.HELD):
        jobs.add_metric([state], counts[state])
    yield jobs
    yield GaugeMetricFamily("glideroute_unplaced_jobs", "Idle jobs that no decision has placed yet", unplaced)
    name = "glideroute_oldest_unrouted_job_timestamp_seconds"
    yield GaugeMetricFamily(name, "When the oldest of these was submitted; 0 for none", oldest)
    yield from _sites(world.sites)


def _sites(sites: tuple[Site, ...]) -> Iterator[Metric]:
    at_site = GaugeMetricFamily("glideroute_site_jobs", "Jobs at each site by state", labels=["site", "state"])
    cores = GaugeMetricFamily("glideroute_site_cores", "Cores of each site's glideins", labels=["site", "state"])
    excluded = GaugeMetricFamily(
        "glideroute_site_excluded", "1 while a site gets nothing new, by reason", labels=["site", "reason"]
    )
    totals: dict[str, list[int]] = {}
    for number, site in enumerate(sites):
        label = site.name if number < MAX_SITES else "other"
        row = (site.waiting_jobs, site.running_jobs, site.cores - site.idle_cores, site.idle_cores)
        totals[label] = [a + b for a, b in zip(totals.get(label, [0, 0, 0, 0]), row, strict=True)]
        if label != "other":
            for reason in (SiteStatus.DRAINING, SiteStatus.OFFLINE):
                excluded.add_metric([label, reason], int(site.status is reason))
            excluded.add_metric([label, "validation"], int(site.failure is not None))
    for label, (waiting, running, busy, idle) in totals.items():
        at_site.add_metric([label, "waiting"], waiting)
        at_site.add_metric([label, "running"], running)
        cores.add_metric([label, "busy"], busy)
        cores.add_metric([label, "idle"], idle)
    yield from (at_site, cores, excluded)


def serve(daemon: str, settings: Settings, health: Health, loop: Route | Pilots | StageOut) -> None:
    """Serve the daemon's metrics; its address is written to run/`daemon`.address below home.

    Raises RouterError where the port is taken.
    """
    wanted = settings.loop(daemon)
    registry = CollectorRegistry()
    registry.register(LoopCollector(health, loop))
    try:
        server, _ = start_http_server(wanted.metrics_port, wanted.metrics_host, registry)
    except OSError as error:
        raise RouterError(
            f"The metrics cannot be served at {wanted.metrics_host}:{wanted.metrics_port}: {error.strerror}. "
            f"Choose another {daemon}.metrics_port in the settings; 0 takes any free one."
        ) from None
    folder = settings.home / "run"
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f".{daemon}.{os.getpid()}"
    part.write_text(f"{wanted.metrics_host}:{server.server_port}\n")
    part.rename(folder / f"{daemon}.address")
