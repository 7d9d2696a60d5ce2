"""The same rights where daemons are root's: a job runs as its owner, and uids keep apart what attributes cannot."""

import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import rooted
from organisation import until
from test_authority import FORGED, WHAT_IS_BELIEVED, WHAT_RUNS, WHO_PAYS, Shell

pytestmark = pytest.mark.pool

SECRET = "canary-of-alice-77a0"  # noqa: S105 - made up, and searched for


@pytest.fixture(scope="module")
def pool() -> Iterator[rooted.Rooted]:
    """A pool of root's with one worker node."""
    if why := rooted.refusal():
        pytest.skip(why)
    home = Path(tempfile.mkdtemp(prefix="gr-", dir="/tmp"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    try:
        with rooted.running(home, port) as made:
            yield made
    finally:
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def waiting(pool: rooted.Rooted, tmp_path: Path) -> Iterator[str]:
    """A job of alice's that is not placed, and says of itself what it should not be believed."""
    alice = shell(pool, "alice")
    cluster = alice.submit(tmp_path / "job.sub", FORGED)
    yield cluster
    alice.run("condor_rm", cluster)


def shell(pool: rooted.Rooted, user: str) -> Shell:
    return Shell(pool, user)  # type: ignore[arg-type] - all it needs is `pool.env`


def ended(pool: rooted.Rooted, cluster: str) -> bool:
    return not pool.run("admin", "condor_q", cluster, "-af", "JobStatus").stdout.strip()


def test_the_owner_edits_only_wishes_and_the_super_user_neither_what_runs_nor_who_pays(
    pool: rooted.Rooted, waiting: str
) -> None:
    alice, router = shell(pool, "alice"), shell(pool, "router")
    assert alice.seen(waiting, "Owner", "AccountingGroup", "DESIRED_Sites") == ['"alice"', '"higgs.alice"', "undefined"]
    taken = {each for each in (*WHAT_IS_BELIEVED, *WHO_PAYS, *WHAT_RUNS) if alice.may_edit(waiting, each)}
    assert taken == set()
    assert {each for each in (*WHO_PAYS, *WHAT_RUNS) if router.may_edit(waiting, each)} == set()
    assert alice.may_edit(waiting, "RouterAllowSites")
    assert router.may_edit(waiting, "DESIRED_Sites", '"SOUTH"')
    assert shell(pool, "bob").run("condor_rm", waiting).returncode != 0


def test_the_router_and_a_glidein_submit_nothing(pool: rooted.Rooted, tmp_path: Path) -> None:
    path = tmp_path / "job.sub"
    path.write_text("executable = /bin/true\nqueue\n")
    for user in ("router", "glidein-NORTH"):
        assert shell(pool, user).run("condor_submit", "-terse", path).returncode != 0


def test_a_job_runs_as_its_owner_and_reads_and_ends_nothing_of_others(pool: rooted.Rooted) -> None:
    cluster, folder = pool.submit("alice", f"echo {SECRET} > mine; id -u; while test -e mine; do sleep 0.2; done")
    pool.place(cluster)
    sandboxes = pool.home / "glidein/execute"
    until(lambda: [each for each in sandboxes.glob("dir_*/scratch/mine") if each.stat().st_size])
    [mine] = sandboxes.glob("dir_*/scratch/mine")
    assert mine.stat().st_uid == rooted.PEOPLE["alice"]

    targets = [
        *pool.home.glob("glidein/tokens/*"),
        *pool.home.glob("keys/*"),
        *pool.home.glob("tokens/*/token"),
        mine,
        folder / "job.sh",
        pool.home / "spool/job_queue.log",
    ]
    assert len(targets) > 6
    assert all(each.is_file() for each in targets)
    tries = "\n".join(f"cat '{each}' && echo READ '{each}'" for each in targets)
    alices = f'test "$(stat -c %u $each)" = {rooted.PEOPLE["alice"]}'
    ends = f"{alices} && echo SEEN && kill -KILL ${{each#/proc/}} && echo KILLED"
    script = f"id -u\n{tries}\nrm -f '{mine}'\nfor each in /proc/[0-9]*; do {ends}; done\ntrue"
    nosy, told = pool.submit("bob", script)
    pool.place(nosy)
    until(lambda: ended(pool, nosy))
    said = (told / "out").read_text()
    assert str(rooted.PEOPLE["bob"]) in said.splitlines()
    assert said.count("Permission denied") >= len(targets)
    assert "SEEN" in said.split(), "alice's processes are there to be ended"
    assert not [word for word in ("READ", "KILLED", SECRET) if word in said.split()], said
    assert not ended(pool, cluster), "alice's job goes on"

    mine.unlink()
    until(lambda: ended(pool, cluster))
    assert (folder / "out").read_text().split() == [str(rooted.PEOPLE["alice"])]
    assert (folder / "out").stat().st_uid == rooted.PEOPLE["alice"]


def test_a_name_that_is_no_user_of_the_machine_submits_nothing(pool: rooted.Rooted, tmp_path: Path) -> None:
    path = tmp_path / "job.sub"
    path.write_text("executable = /bin/true\nqueue\n")
    done = shell(pool, "nobody-here").run("condor_submit", "-terse", path)
    assert done.returncode != 0
    assert "not a valid OS account" in done.stderr
