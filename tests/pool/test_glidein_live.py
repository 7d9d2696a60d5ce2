"""A glidein on a real pool: it joins, takes the right jobs and no others, says what is wrong, ends without a trace."""

import json
import os
import platform
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import classad2
import pytest

from router.embedded import processes, state
from router.embedded.pool import EmbeddedPool
from router.model import names
from router.model.pilot import Entry, Software
from router.model.task import Batch, Chunk
from router.packages.bundle import BUNDLES, pack
from router.packages.taskdir import TaskDirectory
from router.pool import ads
from router.render import jdl, parts
from router.render.glidein import GlideinJob, PoolContact, glidein_files, glidein_submit
from router.testing.build import a_payload, a_task

pytestmark = pytest.mark.pool

TEMPLATES = Path(__file__).parents[2] / "schedd_config/embedded"


@dataclass(frozen=True)
class Grid:
    """A pool without the production schedd rules, and a factory: what keeps jobs away here are the glideins alone."""

    pool: EmbeddedPool
    home: Path

    def run(self, user: str, *command: str) -> str:
        environment = {**os.environ, **self.pool.env(user)}
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=60, check=True
        ).stdout.strip()

    def contact(self) -> PoolContact:
        program = shutil.which("condor_status", path=self.pool.env("factory")["PATH"])
        assert program
        return PoolContact(
            self.run("factory", "condor_config_val", "COLLECTOR_HOST"),
            self.run("factory", "condor_config_val", "TRUST_DOMAIN"),
            str(Path(program).resolve().parents[1]),
        )

    def start(self, site: str, *, token: str = "", attributes: tuple[tuple[str, str], ...] = (), **entry) -> Path:
        """Start one glidein; the answer is the folder of its outputs."""
        kept = (("GLIDEIN_Update_Interval", "2"), *attributes)
        fields = {"memory_mb": 500, "disk_mb": 200, "attributes": kept, **entry}
        whole = Entry(site.lower(), site, **fields)
        folder = self.home / site
        (folder / "logs").mkdir(parents=True, exist_ok=True)
        (folder / "logs").chmod(0o777)
        files = glidein_files(whole, self.contact(), [], token or self.pool.glidein_token(site).read_text())
        for name, file in files.items():
            (folder / name).write_bytes(file.content)
            (folder / name).chmod(file.mode)
        job = GlideinJob(str(folder), str(folder / "logs"), "schedd")
        (folder / "glidein.jdl").write_text(glidein_submit(whole, job, files))
        self.run("factory", "condor_submit", str(folder / "glidein.jdl"))
        return folder / "logs"

    def stop(self, site: str) -> None:
        self.run("factory", "condor_rm", "-constraint", f'GLIDEIN_Site == "{site}"')
        eventually(lambda: not self.jobs(site), 10)

    def kill_glideins(self) -> None:
        """Kill all glideins as a batch system does that takes its node back."""
        found = state.load(self.pool.home)
        assert found is not None and found.holder is not None
        running = processes.descendants(found.holder)
        startds = [each for each in running if Path(f"/proc/{each.pid}/comm").read_text().strip() == "condor_startd"]
        masters = [each for each in running if any(startd in processes.children(each) for startd in startds)]
        for each in (*masters, *startds):
            processes.send(each, signal.SIGKILL)

    def jobs(self, site: str) -> str:
        return self.run("factory", "condor_q", "-all", *self._of(site), "-af", "ClusterId")

    def ads(self, site: str, attribute: str) -> str:
        return self.run("alice", "condor_status", "-any", *self._of(site), "-af", attribute)

    def submit(self, name: str, executable: str, **attributes: str) -> Path:
        """Submit a job of alice's with these attributes; the answer is where its output will be."""
        folder = self.home / "alice"
        folder.mkdir(exist_ok=True)
        folder.chmod(0o777)
        mine = "".join(f"My.{key} = {value}\n" for key, value in attributes.items())
        (folder / f"{name}.sub").write_text(
            f"executable = {executable}\ninitialdir = {folder}\noutput = {name}.out\nlog = {name}.log\n"
            f"should_transfer_files = YES\nrequest_memory = 50\nrequest_disk = 1M\n{mine}queue\n"
        )
        self.run("alice", "condor_submit", str(folder / f"{name}.sub"))
        return folder / f"{name}.out"

    def fail(self, user: str, name: str, site: str) -> None:
        """Submit a job that fails at once."""
        file = self.home / f"{user}-{name}.sub"
        file.write_text(
            "executable = /bin/false\nshould_transfer_files = YES\ntransfer_executable = false\nrequest_memory = 50\n"
            f'request_disk = 1M\nMy.DESIRED_Sites = "{site}"\nqueue\n'
        )
        file.chmod(0o644)
        self.run(user, "condor_submit", str(file))

    def queued(self, site: str) -> int:
        """Jobs that wait for a site or run there."""
        told = self.run("router", "condor_q", "-all", "-constraint", f'DESIRED_Sites == "{site}"', "-af", "ProcId")
        return len(told.split())

    def ended(self, site: str) -> int:
        """Jobs that ran at a site and left the queue."""
        told = self.run("router", "condor_history", "-constraint", f'DESIRED_Sites == "{site}"', "-af", "ProcId")
        return len(told.split())

    @staticmethod
    def _of(site: str) -> tuple[str, str]:
        return ("-constraint", f'GLIDEIN_Site == "{site}"')


def is_black_hole(grid: Grid, site: str) -> bool:
    """Whether the glidein of a site takes no further jobs because it is one."""
    return "true" in grid.ads(site, "ROUTER_BLACK_HOLE && GLIDEIN_ToRetire <= time()")


def eventually(true: Callable[[], object], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.1)


def filled(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grid]:
    home = tmp_path_factory.mktemp("grid")
    for folder in (home, *home.parents[:2]):
        folder.chmod(0o755)
    (home / "settings").mkdir()
    (home / "settings" / "embedded").symlink_to(TEMPLATES)
    (home / "settings" / "99-quick.config").write_text("CLASSAD_LIFETIME = 45\n")
    pool = EmbeddedPool(home / "pool", home / "settings")
    pool.up()
    yield Grid(pool, home)
    pool.down()


def test_a_glidein_joins_within_six_seconds_and_says_whose_it_is(grid: Grid):
    grid.start("JOIN")
    eventually(lambda: grid.ads("JOIN", "Name"), 6)
    assert grid.ads("JOIN", "strcat(GLIDEIN_Entry_Name, GLIDEIN_ProcId, IS_GLIDEIN, Cpus, Memory)") == "join0true1500"
    grid.stop("JOIN")


def test_a_glidein_says_what_its_node_is_and_has_in_the_words_that_jobs_use(grid: Grid, tmp_path: Path):
    grid.start("NODE", software=Software(modules=("json",), tags=("root-6.30", str(tmp_path))))
    eventually(lambda: grid.ads("NODE", "Name"), 10)
    [found] = classad2.parseAds(grid.run("alice", "condor_status", "-l", "-constraint", 'GLIDEIN_Site == "NODE"'))
    [slot] = ads.slot_groups([{name: found.eval(name) for name in ads.SLOT if name in found}])
    assert slot.platform.software == tuple(sorted(("json", "root-6.30", str(tmp_path))))
    assert names.arch(slot.platform.arch).startswith(platform.machine())
    assert names.system(slot.platform.os)
    grid.stop("NODE")


def test_only_jobs_that_name_the_site_and_fit_its_time_run(grid: Grid):
    grid.start("HERE", walltime_s=3600)
    refused = [
        grid.submit("elsewhere", "/usr/bin/env", DESIRED_Sites='"THERE"'),
        grid.submit("nowhere", "/usr/bin/env"),
        grid.submit("number", "/usr/bin/env", DESIRED_Sites="3"),
        grid.submit("excluded", "/usr/bin/env", DESIRED_Sites='"HERE"', UNDESIRED_Sites='"THERE,HERE"'),
        grid.submit("odd", "/usr/bin/env", DESIRED_Sites='"HERE"', UNDESIRED_Sites="{1}"),
        grid.submit("long", "/usr/bin/env", DESIRED_Sites='"HERE"', MaxWallTimeMins="61"),
    ]
    taken = [
        grid.submit("one", "/usr/bin/env", DESIRED_Sites='"HERE"', MaxWallTimeMins="10"),
        grid.submit("several", "/usr/bin/env", DESIRED_Sites='"THERE,HERE"', UNDESIRED_Sites='""'),
    ]
    for output in taken:
        eventually(lambda output=output: filled(output), 20)
    assert not [output for output in refused if filled(output)]
    environment = taken[0].read_text()
    assert "GLIDEIN_Site=HERE\n" in environment
    assert "GLIDEROUTE_STORAGE=/" in environment
    assert "token" not in environment.lower()
    grid.run("alice", "condor_rm", "-all")
    grid.stop("HERE")


def test_a_value_full_of_other_languages_arrives_as_it_was_given(grid: Grid):
    value = r"""a\b "c" $(RELEASE_DIR) 'd' $ENV(HOME) \n `id` $(id) \" x,y;é%="""
    grid.start("QUOTE", attributes=(("GLIDEIN_Country", value),))
    eventually(lambda: grid.ads("QUOTE", "Name"), 10)
    assert grid.ads("QUOTE", "GLIDEIN_Country") == value
    grid.stop("QUOTE")


def test_a_refused_node_says_why_in_the_pool_and_takes_no_job(grid: Grid):
    software = Software("/usr/bin/python3", ("json", "no_such_module"))
    logs = grid.start("BAD", software=software, attributes=(("GLIDEIN_Failure_Sleep", "60"),))
    eventually(lambda: grid.ads("BAD", "Name"), 10)
    assert grid.ads("BAD", "GLIDEIN_FAILURE_REASON") == (
        "/usr/bin/python3 cannot import no_such_module: ModuleNotFoundError: No module named 'no_such_module'"
    )
    assert grid.ads("BAD", "GLIDEIN_FAILURE_TYPE") == "WN_Resource"
    assert grid.ads("BAD", "strcat(State, Requirements)") == "Drainedfalse"
    assert "=== XML description of glidein activity ===" in next(logs.glob("*.out")).read_text()
    grid.stop("BAD")


def test_a_token_that_the_pool_does_not_take_is_named_in_the_output(grid: Grid):
    logs = grid.start("FORGED", token="a.b.c", attributes=(("GLIDEIN_Failure_Sleep", "0"),))  # noqa: S106, no password
    eventually(lambda: any("does not let this glidein join" in err.read_text() for err in logs.glob("*.err")), 10)
    assert not grid.ads("FORGED", "Name")


def test_removing_a_busy_glidein_lets_its_job_clean_up_and_leaves_nothing(grid: Grid):
    script = grid.home / "patient.sh"
    script.write_text("#!/bin/bash\ntrap 'echo cleaned; exit' TERM\necho started\nwhile :; do sleep 0.1; done\n")
    script.chmod(0o755)
    grid.start("BUSY")
    grid.submit("patient", str(script), DESIRED_Sites='"BUSY"')
    eventually(lambda: grid.ads("BUSY", "State").split().count("Claimed") == 1, 20)
    log = grid.home / "alice" / "patient.log"
    eventually(lambda: "Job executing" in log.read_text(), 10)
    grid.stop("BUSY")
    eventually(lambda: "Job was evicted" in log.read_text(), 10)
    eventually(lambda: not list((grid.home / "pool/spool/local_univ_execute").glob("*")), 10)
    assert not grid.ads("BUSY", "Name")


@pytest.mark.slow
def test_a_glidein_that_is_killed_is_soon_forgotten_and_jobs_go_to_a_living_one(grid: Grid):
    grid.start("KILLED")
    eventually(lambda: grid.ads("KILLED", "Name"), 10)
    [killed] = grid.ads("KILLED", "Name").split()
    grid.kill_glideins()
    output = grid.submit("later", "/usr/bin/env", DESIRED_Sites='"KILLED"')
    grid.start("KILLED")
    eventually(lambda: filled(output), 25)
    eventually(lambda: killed not in grid.ads("KILLED", "Name").split(), 25)
    grid.stop("KILLED")


def test_an_idle_glidein_ends_by_itself(grid: Grid):
    grid.start("IDLE", idle_s=3)
    eventually(lambda: grid.ads("IDLE", "Name"), 10)
    eventually(lambda: not grid.jobs("IDLE"), 20)


@pytest.mark.slow
def test_a_node_that_fails_jobs_of_two_users_at_once_takes_no_more_and_one_users_wrong_program_is_no_reason(grid: Grid):
    for site in ("HOLE", "GOOD"):
        grid.start(site, cpus=2)
        eventually(lambda site=site: grid.ads(site, "Name"), 10)
    for number in range(4):
        for user in ("alice", "bob"):
            grid.fail(user, f"hole{number}", "HOLE")
    for number in range(8):
        grid.fail("alice", f"wrong{number}", "GOOD")
    eventually(lambda: grid.queued("GOOD") == 0, 40)
    eventually(lambda: is_black_hole(grid, "HOLE"), 20)
    assert not is_black_hole(grid, "GOOD")
    assert grid.ended("GOOD") == 8
    left = grid.queued("HOLE")
    for user in ("alice", "bob"):
        grid.fail(user, "late", "HOLE")
    grid.run("alice", "condor_reschedule")
    time.sleep(3)
    assert grid.queued("HOLE") == left + 2
    for site in ("HOLE", "GOOD"):
        grid.stop(site)


PROGRAM = """#!/bin/sh
set -e
cat mylib/word
[ "$GLIDEROUTE_JOB" != 0003 ] || { chmod u+w mylib.tar.gz; echo poison >> mylib.tar.gz; }
sleep 1
"""


def exit_code(home: Path, job: str) -> object:
    report = home / "reports" / f"{job}.json"
    return json.loads(report.read_text())["exit_code"] if filled(report) else None


@pytest.mark.slow
def test_a_folder_of_code_is_shared_in_a_cluster_and_nothing_that_a_job_changed_in_it_is_run(grid: Grid):
    top = grid.home / "work"
    (top / "mylib").mkdir(parents=True)
    (top / "mylib" / "word").write_text("hello\n")
    (top / "run.sh").write_text(PROGRAM)
    payload = a_payload(executable="run.sh", folder="mylib", memory_mb=50, disk_mb=20, walltime_s=60)
    task = a_task("code-1", payload=payload, directory=str(grid.home / "code-1"))
    files = TaskDirectory(Path(task.directory))
    packed = pack(top / "mylib", grid.home / BUNDLES)
    files.make("", {"run.sh": top / "run.sh", payload.bundle: packed}, (jdl.WRAPPER,))
    good = Batch("b0", (Chunk("0000"), Chunk("0001"), Chunk("0002")))
    poisoned = Batch("b1", (Chunk("0003"), Chunk("0004")))
    for batch in (good, poisoned):
        files.describe({part.name: parts.part_text(task, batch.key, part, task.outputs) for part in parts.parts(batch)})
    for path in (files.path, *files.path.rglob("*")):
        path.chmod(0o777)
    grid.start("CODE", cpus=2, memory_mb=600)
    for batch in (good, poisoned):
        injection = jdl.batch_injection(task, batch)
        items = "".join(f"  {' '.join(value for _, value in item)}\n" for item in injection.items)
        queue = f'My.DESIRED_Sites = "CODE"\nqueue RouterJob, RouterPart from (\n{items})\n'
        (top / f"{batch.key}.sub").write_text(injection.text + queue)
        grid.run("alice", "condor_submit", str(top / f"{batch.key}.sub"))
    jobs = [chunk.job for batch in (good, poisoned) for chunk in batch.chunks]
    eventually(lambda: None not in [exit_code(files.path, job) for job in jobs], 90)
    codes = {job: exit_code(files.path, job) for job in jobs}
    assert [codes[chunk.job] for chunk in good.chunks] == [0, 0, 0]
    assert {codes[chunk.job] for chunk in poisoned.chunks} <= {0, 71}  # whoever comes after the change is refused
    assert all(files.log(job, "out") == "hello\n" for job in jobs if codes[job] == 0)
    assert all("has other bytes here" in str(files.report(job)) for job in jobs if codes[job])
    shadows = (grid.pool.home / "log" / "ShadowLog").read_text()
    assert 1 <= shadows.count("Starting common files transfer") < len(jobs)
    grid.run("alice", "condor_rm", "-all")
    grid.stop("CODE")
