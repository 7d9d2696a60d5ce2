"""The main job, from a payload to a plot, on a real HTCondor pool that lives as long as the demonstration.

Four sites: A and B hold overlapping halves of the sample, C holds nothing, and D's nodes lack software they promise.
One file of the dataset is marked as bad, and the payload's query leaves it out. While the jobs run, site A is drained,
so that its idle jobs are brokered again. In the end the merged file tells where it comes from. Ends with 0 only if
everything that it prints is as it should be.
"""

import argparse
import hashlib
import json
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType
from typing import Any

import plot
import prepare
import skhep_testdata
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from router import wiring
from router.api import Router
from router.embedded.pool import EmbeddedPool
from router.errors import RouterError
from router.model.answer import Plan, TaskStatus
from router.model.files import File, Located, Replica
from router.model.job import JobState
from router.model.site import Site, SiteStatus
from router.resources import folder
from router.services.provenance import Provenance
from router.settings import Settings, load
from router.transfer.fetch import fetch

HERE = Path(__file__).resolve().parent
USER = "alice"
DATASET = "/demo/zmumu"
EVENTS = 2304
HELD_BY = {"SITE_A": range(0, 7), "SITE_B": range(5, 12)}
SAID = {"experiment": "CMS", "year": 2010, "channel": "Zmumu"}
"""Of the dataset; of each file its run, and whether it is good."""
BAD = "bad.root"
"""Events of the first file once more: whoever reads it counts them twice."""
MISSING_MODULE = "ROOT"
DRAINED = "SITE_A"
BROKEN = "SITE_D"
DEADLINE_S = 150.0
LOOK_S = 0.3


@dataclass
class Screen:
    """What the terminal shows: the steps done, and where the jobs are now."""

    console: Console
    steps: list[tuple[str, float]] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)
    status: TaskStatus | None = None
    sites: tuple[Site, ...] = ()

    def step(self, words: str) -> None:
        """Begin the next step."""
        self.steps.append((words, time.monotonic() - self.started))
        if not self.console.is_terminal:
            self.console.print(f"{self.steps[-1][1]:5.1f} s  {words}")

    def __rich__(self) -> RenderableType:
        """The picture of this moment."""
        rows = Table(box=None, show_header=False, pad_edge=False)
        for number, (words, at) in enumerate(self.steps, 1):
            now = number == len(self.steps)
            rows.add_row(f"{at:5.1f} s", Text("▸" if now else "✓", style="yellow" if now else "green"), words)
        parts: list[RenderableType] = [rows]
        if self.status:
            parts += [Text(""), jobs_line(self.status)]
        if self.sites:
            parts += [Text(""), sites_table(self.sites, self.status)]
        return Group(*parts)


def jobs_line(status: TaskStatus) -> Text:
    """The task's jobs by state, as a bar of one character a job."""
    bar = Text(f"{status.task.id}  ", style="bold")
    marks = (
        ("finished", "█", "green"),
        ("running", "▶", "cyan"),
        ("idle", "·", "yellow"),
        ("waiting", "◌", "magenta"),
        ("held", "!", "red"),
    )
    for state, mark, colour in marks:
        bar.append(mark * status.counts.get(state, 0), style=colour)
    return bar.append("  " + ", ".join(f"{count} {state}" for state, count in sorted(status.counts.items())))


def sites_table(sites: tuple[Site, ...], status: TaskStatus | None) -> Table:
    """The sites with what runs there."""
    rows = Table(box=None, pad_edge=False)
    for column in ("site", "status", "cores", "running", "waiting", "finished", "why"):
        rows.add_column(column, justify="right" if column in ("cores", "running", "waiting", "finished") else "left")
    for site in sites:
        why = site.failure.message if site.failure else site.status_reason
        shown = "refused" if site.failure else str(site.status)
        colour = {"online": "green", "draining": "yellow"}.get(shown, "red")
        done = status.finished_at.get(site.name, 0) if status else 0
        numbers = (site.cores, site.running_jobs, site.waiting_jobs, done)
        counts = [str(number or "·") for number in numbers]
        rows.add_row(site.name, Text(shown, style=colour), *counts, Text(why, overflow="fold"))
    return rows


def declare(home: Path) -> Settings:
    """Write the settings: four sites with an entry each."""
    python = {"python": sys.executable, "modules": ["uproot", "numpy", "hist"]}
    common = {
        "disk": "2 GB",
        "walltime": "2 h",
        "max_glideins": 1,
        "min_glideins": 1,
        "attributes": {
            "GLIDEIN_Update_Interval": "3",
            "ROUTER_MIN_SCRATCH_MB": "500",
            # All sites share this one machine, and may together promise more cores than it has.
            "ROUTER_MIN_CPUS": "1",
        },
    }
    sites: dict[str, dict[str, Any]] = {
        "SITE_A": {"entries": {"a_small": {**common, "cpus": 1, "memory": "1 GB", "software": python}}},
        "SITE_B": {"entries": {"b_big": {**common, "cpus": 3, "memory": "3 GB", "software": python}}},
        "SITE_C": {"entries": {"c_empty": {**common, "cpus": 2, "memory": "2 GB", "software": python}}},
        "SITE_D": {
            "entries": {
                "d_broken": {
                    **common,
                    "cpus": 2,
                    "memory": "2 GB",
                    "software": {**python, "modules": [*python["modules"], MISSING_MODULE]},
                }
            }
        },
    }
    for name in sites:
        sites[name]["storage"] = {"name": f"{name}_DISK", "prefix": (home / "storage" / name).as_uri()}
    told = {
        "router": {"interval": "1 s"},
        "factory": {"interval": "1 s"},
        # Its jobs are short, and its glideins come quickly.
        "broker": {"typical_run": "5 s", "ramp": "10 s"},
        "sites": sites,
    }
    (home / "glideroute.yaml").write_text(json.dumps(told, indent=1))  # JSON is YAML, too
    return replace(load(home), user=USER)


def place_sample(settings: Settings, router: Router) -> None:
    """Cut the sample, put the files at the sites' storage elements, register them, and say what they hold."""
    cut = prepare.cut(Path(skhep_testdata.data_path("uproot-Zmumu.root")), settings.home / "sample", 12)
    sites = {number: [site for site, numbers in HELD_BY.items() if number in numbers] for number in range(len(cut))}
    found = [a_file(settings, router, each, each["name"], sites[number]) for number, each in enumerate(cut)]
    bad = a_file(settings, router, cut[0], BAD, ["SITE_B"])
    router.add_dataset(DATASET, [*found, bad])
    of_files = {each.file.lfn: {"run": told["run"], "good": True} for each, told in zip(found, cut, strict=True)}
    router.catalogue.describe({DATASET: SAID, bad.file.lfn: {"run": cut[0]["run"], "good": False}, **of_files})


def a_file(settings: Settings, router: Router, cut: dict[str, Any], name: str, sites: list[str]) -> Located:
    """A piece of the sample with copies at the storage elements of these sites."""
    lfn, copies = f"{DATASET}/{name}", []
    for site in sites:
        element = router.storage[site]
        path = settings.home / "storage" / site / lfn.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(settings.home / "sample" / cut["name"], path)
        copies.append(Replica(element.name, site, element.pfn(lfn)))
    return Located(File(lfn, cut["size"], cut["adler32"], cut["events"]), tuple(copies))


def follow(router: Router, task: str, screen: Screen) -> TaskStatus:
    """Watch the task until it is done; half-way, drain the site whose jobs then have to go elsewhere."""
    deadline = time.monotonic() + DEADLINE_S
    drained = False
    while time.monotonic() < deadline:
        screen.status = router.status(task)
        screen.sites = router.world().sites
        if screen.status.done:
            return screen.status
        if not drained and half_way(router, task):
            drained = True
            screen.step(f"{DRAINED} is drained: its idle jobs are brokered again")
            router.set_site(DRAINED, SiteStatus.DRAINING, "maintenance of the storage, for the demonstration")
        time.sleep(LOOK_S)
    raise RouterError(f"The task {task} is not done after {DEADLINE_S:.0f} s.")


def half_way(router: Router, task: str) -> bool:
    """Whether some jobs that only the drained site has data for are through, and some still wait."""
    groups = [g for g in router.pool.jobs() if g.task == task and g.sites == (DRAINED,)]
    idle = sum(g.count for g in groups if g.state is JobState.IDLE)
    here = sum(g.count for g in groups)
    return 0 < idle <= here < sum(len(numbers) for numbers in (only_at(DRAINED),))


def only_at(site: str) -> set[int]:
    """Files that no other site holds."""
    others = {number for name, numbers in HELD_BY.items() if name != site for number in numbers}
    return set(HELD_BY[site]) - others


def merged_file(router: Router, task: str) -> Located:
    """The merged histogram, in its owner's home directory of the catalogue."""
    found = router.outputs(task)
    if not found.merged:
        raise RouterError(f"The outputs of {task} are not merged.")
    return found.files[0]


def trace(router: Router, lfn: str, target: Path) -> Provenance:
    """Where a file comes from; kept beside the plot for people and for other programs."""
    found = router.provenance(lfn)
    (target / "provenance.txt").write_text(str(found))
    (target / "prov.json").write_text(found.prov_json())
    (target / "ro-crate-metadata.json").write_text(found.ro_crate())
    return found


@dataclass(frozen=True)
class Fact:
    """One line of the result, and whether it is as it should be."""

    name: str
    words: str
    holds: bool


def chosen(plan: Plan) -> Fact:
    """Whether the payload's query chose the good files."""
    files = [each.file.lfn for each in plan.dataset.files] if plan.dataset else []
    words = f"{len(files)} of {plan.offered} files of {DATASET}, by what is said of them"
    return Fact("chosen", words, len(files) == 12 and f"{DATASET}/{BAD}" not in files)


def traced(found: Provenance, plan: Plan) -> Fact:
    """Whether the merged file leads back to the program and to all files that the payload's query chose."""
    lineage, chosen = found.lineage, {each.file.lfn for each in plan.dataset.files} if plan.dataset else set()
    program = hashlib.sha256((HERE / "analyse.py").read_bytes()).hexdigest()
    ran = [each for each in lineage.executions.values() if not each.merge]
    alike = {dict(each.code).get("analyse.py") for each in ran} == {program}
    begin = {lfn for lfn, each in lineage.artifacts.items() if each.maker is None}
    words = f"{len(lineage.executions)} jobs and {len(begin)} files of {DATASET} lie behind {lineage.roots[0]}"
    return Fact("traced", words, alike and begin == chosen and len(ran) == plan.jobs)


def facts(router: Router, status: TaskStatus, fit: plot.Fit, png: Path) -> list[Fact]:
    """What the demonstration shows."""
    why = router.why(status.task.id)
    moves = [record for each in why for record in each.history if record.kind == "move" and record.outcome == "applied"]
    moved = sum(record.jobs for record in moves)
    refused = {v.site: v.refusal for each in why for v in each.choice.verdicts if v.refusal}
    broken = refused.get(BROKEN)
    ran = ", ".join(f"{site} {count}" for site, count in sorted(status.finished_at.items()))
    good = set(status.finished_at) <= {"SITE_A", "SITE_B", "SITE_C"}
    message = broken.words if broken else "it was not refused"
    return [
        Fact("events", f"{fit.entries:,} of {EVENTS:,}", fit.entries == EVENTS),
        Fact("peak", f"{fit.peak:.2f} ± {fit.peak_error:.2f} GeV", 90.0 < fit.peak < 92.0),
        Fact("jobs", f"{ran} (the last one merged)", status.succeeded and good),
        Fact("moved", f"{moved} job(s): {'; '.join(record.words for record in moves) or 'none'}", moved > 0),
        Fact("refused", f"{BROKEN}: {message}", broken is not None and MISSING_MODULE in message),
        Fact("plot", str(png), png.is_file()),
    ]


def run(screen: Screen, home: Path, target: Path) -> tuple[list[Fact], str]:
    """All of it; what it shows, and where the merged file comes from."""
    settings = declare(home)
    daemons = wiring.daemons(home)
    pool = EmbeddedPool(settings.pool_home, folder("schedd_config"), daemons, progress=screen.step)
    screen.step("HTCondor is looked for, or fetched")
    try:
        pool.up()
        with wiring.user_session(settings) as router:
            screen.step(f"{EVENTS:,} events are cut into 12 files, described, and placed at two sites")
            place_sample(settings, router)
            text = (HERE / "analysis.yaml").read_text()
            plan = router.plan(text, "analysis.yaml")
            task = router.submit(plan, HERE).task
            screen.step(f"{USER} has submitted {task.id}: {plan.jobs} jobs in {len(plan.batches)} batches, and a merge")
            status = follow(router, task.id, screen)
            screen.step("the merged histogram is fetched and fitted")
            target.mkdir(parents=True, exist_ok=True)
            merged = merged_file(router, task.id)
            fit = plot.fit_and_plot(fetch(merged, target / "hist.root"), target / "zmumu.png")
            origin = trace(router, merged.file.lfn, target)
            found = [chosen(plan), *facts(router, status, fit, target / "zmumu.png"), traced(origin, plan)]
            screen.step("the pool is stopped")
            return found, str(origin)
    finally:
        pool.down()


@contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGTERM and a closed terminal end the demonstration as Ctrl-C does: through all the finally clauses."""

    def stop(_: int, __: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {each: signal.signal(each, stop) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def keep_logs(home: Path, target: Path) -> str:
    """Save the daemons' logs from the pool that is about to be removed; words that say where."""
    if not (home / "pool" / "log").is_dir():
        return ""
    shutil.copytree(home / "pool" / "log", target / "logs", dirs_exist_ok=True)
    return f"\nThe logs are in {target / 'logs'}."


def show(console: Console, found: list[Fact], origin: str, seconds: float) -> None:
    """Print the result."""
    console.print(f"\n{origin}", markup=False, soft_wrap=True, end="")
    rows = Table(box=None, show_header=False, pad_edge=False)
    rows.add_column(style="bold")
    rows.add_column()
    rows.add_column(overflow="fold")
    for fact in found:
        rows.add_row(fact.name, Text("✓", style="green") if fact.holds else Text("✗", style="red"), fact.words)
    console.print("")
    console.print(rows)
    good = all(fact.holds for fact in found)
    console.print(f"\n{'All of it holds' if good else 'Not all of it holds'}; {seconds:.0f} s.", style="bold")


def main() -> int:
    """Run the demonstration; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=None, help="folder for the histogram and the plot")
    parser.add_argument("--json", action="store_true", help="print the result as JSON at the end")
    options = parser.parse_args()
    console = Console(highlight=False, stderr=options.json)
    screen = Screen(console)
    home = Path(tempfile.mkdtemp(prefix="glideroute-demo-", dir="/tmp"))
    target = (options.output or Path.cwd() / "build" / "demo" / home.name).absolute()
    try:
        with interruptible(), Live(screen, console=console, refresh_per_second=8, transient=False) as live:
            if not console.is_terminal:
                live.stop()
            found, origin = run(screen, home, target)
    except KeyboardInterrupt:
        console.print("Stopped; nothing is left running.")
        return 130
    except RouterError as error:
        console.print(f"The demonstration failed: {error}{keep_logs(home, target)}", style="red")
        return error.exit_code
    finally:
        shutil.rmtree(home, ignore_errors=True)
    show(console, found, origin, time.monotonic() - screen.started)
    if options.json:
        found = [*found, Fact("home", str(home), not home.exists())]
        print(json.dumps({fact.name: {"words": fact.words, "holds": fact.holds} for fact in found}))
    return 0 if all(fact.holds for fact in found) else 1


if __name__ == "__main__":
    sys.exit(main())
