"""What must hold whatever fails, checked while a simulation runs and after it.

The numbers are those of docs/reliability.md. A violation ends the simulation.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from simulated_data import SimulatedData
from simulated_schedd import COMPLETED, HELD, IDLE, LARGE, RUNNING, SMALL_MB, SUBMITTED_HELD, Job, Schedd

from router.model.job import JobState
from router.model.policy import BrokerPolicy
from router.model.record import DecisionRecord
from router.model.world import World

WRITABLE = ("RouterDecision", "DESIRED_Sites")
MENDS = ("RouterRemedy", "RequestMemory", "MaxWallTimeMins", "AllowedExecuteDuration", "DESIRED_Sites")
"""What the router may set in held jobs."""
NOT_OURS = (1, 15, 16)
"""HoldReasonCodes of jobs that nobody asked the router to mend (condor_holdcodes.h)."""
MOST_TRIES = 3
NUMBERS = {JobState.IDLE: 1, JobState.RUNNING: 2, JobState.HELD: 5}


class Violation(AssertionError):
    """An invariant did not hold."""


def hold(number: str, fact: bool, told: str) -> None:
    """Raise Violation unless `fact`."""
    if not fact:
        raise Violation(f"{number}: {told}")


@dataclass
class Witness:
    """Sees every look and every edit of every router."""

    schedd: Schedd = field(init=False)
    tick: int = 0
    """Counts what happens; orders it where the clock stands still."""
    closed: dict[str, int] = field(default_factory=dict)
    """Sites that operators closed, and the tick of it."""
    began: dict[str, int] = field(default_factory=dict)
    """The tick at which each router began its pass."""
    seen_idle: dict[str, set[tuple[int, int]]] = field(default_factory=dict)
    """Jobs that were idle when a router last looked at them."""
    seen_held: dict[str, set[tuple[int, int]]] = field(default_factory=dict)
    seen_running: dict[str, set[tuple[int, int]]] = field(default_factory=dict)
    written: list[tuple[str, int, int, str, Any]] = field(default_factory=list)
    highest_term: int = 0
    read_reports: set[tuple[int, int]] = field(default_factory=set)

    def begins(self, router: str) -> None:
        """A router begins a pass."""
        self.began[router] = self.tick
        self.seen_idle[router], self.seen_held[router], self.seen_running[router] = set(), set(), set()

    def looked(self, router: str, jobs: Iterable[Job]) -> None:
        """A router looks at jobs."""
        idle = self.seen_idle.setdefault(router, set())
        held = self.seen_held.setdefault(router, set())
        runs = self.seen_running.setdefault(router, set())
        for job in jobs:
            (idle.add if job.status == IDLE else idle.discard)(job.id)
            (held.add if job.status == HELD else held.discard)(job.id)
            (runs.add if job.status == RUNNING else runs.discard)(job.id)

    def edited(self, router: str, cluster: int, proc: int, attribute: str, value: Any) -> None:
        """A router sets an attribute of a job, or of a cluster's ad."""
        self.written.append((router, cluster, proc, attribute, value))
        jobs = [job for job in self.schedd.jobs.values() if job.cluster == cluster and proc in (-1, job.proc)]
        mends = attribute in MENDS and (attribute != "DESIRED_Sites" or value is None)
        hold("I6", mends or attribute in WRITABLE, f"{router} writes {attribute} of {cluster}.{proc}")
        state, looked = ("held", self.seen_held) if mends else ("idle", self.seen_idle)
        stops = value is None if attribute == "DESIRED_Sites" else attribute == "RouterDecision" and not value["Sites"]
        for job in jobs:
            seen = job.id in looked.get(router, ()) or (stops and job.id in self.seen_running.get(router, ()))
            hold("I7", seen, f"{router} writes {attribute} of {job.id}, which was not {state} when it looked")
        if attribute == "RouterDecision":
            hold("I5", value["Term"] >= self.highest_term, f"{router} of an older term writes into {cluster}.{proc}")
            self.highest_term = value["Term"]
            self._epoch_grows(router, jobs, value)
        elif attribute == "RouterRemedy":
            hold("I2", value["Tries"] <= MOST_TRIES, f"{router} retries {cluster}.{proc} {value['Tries']} times")
        elif not mends:
            self._sites_are_open(router, cluster, proc, value)

    def released(self, router: str, job: Job) -> None:
        """A router releases a job: one that it mended, or a merge job whose parts are all there."""
        code, remedy, cluster = job.ad["HoldReasonCode"], job.ad.get("RouterRemedy"), job.cluster
        if code != SUBMITTED_HELD:
            mended = remedy is not None and remedy["Hold"] == job.ad["NumHolds"] and remedy["Cure"] != "give-up"
            hold("I7", code not in NOT_OURS and mended, f"{router} releases {job.id}, held for {code}, with {remedy}")
            return
        task = self.schedd.clusters[cluster].get("RouterTask")
        ads = self.schedd.clusters
        parts = [each for each, ad in ads.items() if ad.get("RouterTask") == task and each != cluster]
        left = [job.id for job in self.schedd.jobs.values() if job.cluster in parts]
        gone = [job.id for job in self.schedd.history if job.cluster in parts and job.id not in self.read_reports]
        hold("I2", not left and not gone, f"{router} releases merge job {cluster}, but {left + gone} are not there")

    def _epoch_grows(self, router: str, jobs: Iterable[Job], value: Any) -> None:
        for job in jobs:
            last = self.schedd.value(job, "RouterDecision")
            epochs = (last["Epoch"] if last else 0, value["Epoch"])
            hold("I5", epochs[0] <= epochs[1], f"{router} takes {job.id} from epoch {epochs[0]} back to {epochs[1]}")

    def _sites_are_open(self, router: str, cluster: int, proc: int, value: str) -> None:
        began = self.began[router]
        for site in value.split(","):
            since = self.closed.get(site, self.tick + 1)
            told = f"{router} gives {cluster}.{proc} {site}, closed at {since}, although its pass began at {began}"
            hold("I3", since >= began, told)


def no_job_is_lost(schedd: Schedd) -> None:
    """I1: every job that was submitted is in the queue or in the history."""
    for cluster, ad in schedd.clusters.items():
        found = {job.proc for job in (*schedd.jobs.values(), *schedd.history) if job.cluster == cluster}
        hold("I1", found == set(range(ad["TotalSubmitProcs"])), f"of cluster {cluster} only {sorted(found)} are there")


def no_job_runs_twice(schedd: Schedd) -> None:
    """I2: as many starts as evictions and releases give reason for."""
    for job in (*schedd.jobs.values(), *schedd.history):
        hold("I2", len(job.starts) <= 1 + job.evictions + job.releases, f"{job.id} started at {job.starts}")


def every_failure_is_answered(schedd: Schedd) -> None:
    """I9: after the faults each failed job carries a remedy of its last hold, which is given up or due later."""
    for job in schedd.jobs.values():
        if job.status != HELD or job.ad["HoldReasonCode"] in NOT_OURS:
            continue
        remedy = job.ad.get("RouterRemedy")
        answered = remedy is not None and remedy["Hold"] == job.ad["NumHolds"]
        waits = answered and (remedy["Cure"] == "give-up" or remedy["Due"] > schedd.now())
        hold("I9", bool(waits), f"{job.id} is held for {job.ad['HoldReasonCode']} and carries {remedy}")


def _waits(schedd: Schedd, job: Job, log: Sequence[DecisionRecord]) -> bool:
    """Whether the log says, after the decision that the job carries, that jobs of its cluster wait, and why."""
    made = schedd.value(job, "RouterDecision") or {"Epoch": 0, "Sites": ""}
    own = (made["Epoch"], tuple(made["Sites"].split(",")))
    rows = [each for each in log if each.cluster == job.cluster]
    rows = [each for each in rows if each.kind == "wait" or (each.epoch, each.sites) == own]
    return bool(rows) and rows[-1].kind == "wait"


def every_idle_job_is_placed(schedd: Schedd, closed: Iterable[str], log: Sequence[DecisionRecord]) -> None:
    """I9: after the faults an idle job has its decision, whole and at open sites; or its wait is explained."""
    for job in schedd.jobs.values():
        if job.status != IDLE:
            continue
        sites, made = schedd.value(job, "DESIRED_Sites"), schedd.value(job, "RouterDecision")
        placed = sites is not None and made is not None and made["Sites"] == sites
        if placed and not set(sites.split(",")) & set(closed):
            continue
        hold("I9", _waits(schedd, job, log), f"{job.id} has sites {sites} and decision {made}, and no wait is told")


def every_idle_job_fits(schedd: Schedd, log: Sequence[DecisionRecord]) -> None:
    """I14: what one job asks for sends it, and no other of its cluster, to the site that has it."""
    for job in schedd.jobs.values():
        sites = schedd.value(job, "DESIRED_Sites")
        much = (schedd.value(job, "RequestMemory") or 0) > SMALL_MB
        if job.status == IDLE and sites and much and not _waits(schedd, job, log):
            hold("I14", sites == LARGE, f"{job.id} asks for much, and may go to {sites}")


def _stays(schedd: Schedd, job: Job, policy: BrokerPolicy) -> bool:
    """Whether a job, or one of its cluster that has the same sites, got them lately, or was moved often."""
    near = [each for each in schedd.jobs.values() if (each.cluster, each.status) == (job.cluster, IDLE)]
    near = [each for each in near if schedd.sites(each) == schedd.sites(job)]
    made = [found for each in near if (found := schedd.value(each, "RouterDecision"))]
    last = max(made, key=lambda found: (found["Epoch"], found["At"]))
    lately = schedd.now() - last["At"] < policy.lost_wait_s * 2 ** min(last["Moves"], 6)
    return lately or last["Moves"] >= policy.most_moves


def jobs_without_input_have_no_sites(
    schedd: Schedd, data: SimulatedData | None, policy: BrokerPolicy, log: Sequence[DecisionRecord]
) -> None:
    """I16: a job whose input is lost has no sites, unless it got them lately or was moved often; no other is without.

    It says why; but for what nobody knows yet who was told of it a few passes ago.
    """
    for job in schedd.jobs.values():
        if data is None or job.status != IDLE:
            continue
        sites, made = schedd.value(job, "DESIRED_Sites"), schedd.value(job, "RouterDecision")
        lost = data.is_lost(schedd.value(job, "RouterDataset"))
        if lost and sites and made:
            hold("I16", _stays(schedd, job, policy), f"{job.id} has lost its input, and keeps {sites}")
        elif not lost and not sites:
            hold(
                "I16", _waits(schedd, job, log), f"{job.id} has no sites and decision {made}, though its input is there"
            )


def the_log_agrees(schedd: Schedd, log: Sequence[DecisionRecord]) -> None:
    """I12: each decision that jobs carry stands in the log as applied, and no outcome is unknown."""
    open_ = [each for each in log if each.outcome in ("pending", "unknown")]
    hold("I12", not open_, f"the outcome stays open: {open_}")
    applied = {(each.cluster, each.epoch, ",".join(each.sites)) for each in log if each.outcome == "applied"}
    for job in schedd.jobs.values():
        made = schedd.value(job, "RouterDecision")
        if made and made["Sites"] == schedd.value(job, "DESIRED_Sites") and job.status == IDLE:
            key = (job.cluster, made["Epoch"], made["Sites"])
            hold("I12", key in applied, f"{job.id} carries {key}, which no row of the log says was applied")


def the_followed_queue_is_the_queue(schedd: Schedd, worlds: Iterable[World | None]) -> None:
    """I15: after the faults a router that follows events sees the queue that the schedd shows."""
    there = Counter((job.cluster, job.status, schedd.value(job, "DESIRED_Sites")) for job in schedd.jobs.values())
    for world in worlds:
        found: Counter[tuple[int, int, str | None]] = Counter()
        for group in world.jobs if world else ():
            sites = ",".join(group.sites) if group.sites is not None else None
            found[group.cluster, NUMBERS[group.state], sites] += group.count
        hold("I15", world is None or found == there, f"a router sees {found - there} too much, {there - found} not")


def the_merge_job_waits_no_longer(schedd: Schedd, parts: Iterable[Job], merge: Job | None) -> None:
    """I9: a merge job whose parts are all there is released."""
    ready = all(job.status == COMPLETED for job in parts)
    waits = merge is not None and merge.status == HELD and merge.ad.get("HoldReasonCode") == SUBMITTED_HELD
    hold("I9", not (ready and waits), f"all parts are there, and merge job {merge and merge.id} still waits")
