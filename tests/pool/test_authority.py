"""Who may do what, asked of a real schedd with the production fragments; docs/security.md has the same as a table."""

import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from organisation import until
from pool_backend import LivePool

pytestmark = pytest.mark.pool

FORGED = """
executable = /bin/sleep
arguments = 1000
accounting_group = higgs
accounting_group_user = bob
My.QDate = 5
My.NumJobStarts = 3
My.RemoteWallClockTime = 1.0
My.MachineAttrGLIDEIN_Site0 = "SITE_A"
My.JobCurrentStartDate = 7
My.AuthTokenGroups = "/vo/admins"
My.RouterDecision = [Epoch = 9]
My.DESIRED_Sites = "SITE_A"
queue
"""
WHAT_RUNS = (
    "Cmd",
    "Args",
    "Arguments",
    "Env",
    "Environment",
    "Iwd",
    "RootDir",
    "In",
    "Out",
    "Err",
    "UserLog",
    "TransferInput",
    "TransferOutput",
    "TransferOutputRemaps",
    "TransferPlugins",
    "PreCmd",
    "PostCmd",
    "ContainerImage",
    "HookKeyword",
    "Owner",
    "JobUniverse",
)
WHO_PAYS = ("AcctGroup", "AcctGroupUser", "AccountingGroup")
WHAT_IS_BELIEVED = (
    "DESIRED_Sites",
    "UNDESIRED_Sites",
    "RouterDecision",
    "RouterEpoch",
    "RouterMoves",
    "RouterReason",
    "RouterState",
    "RouterTask",
    "RouterBatch",
    "RouterJob",
    "RouterInputs",
    "RouterOutputs",
    "JobStatus",
    "QDate",
    "JobCurrentStartDate",
    "MachineAttrGLIDEIN_Site0",
)


@dataclass(frozen=True)
class Shell:
    """HTCondor's tools as one identity."""

    live: LivePool
    user: str

    def run(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, **self.live.pool.env(self.user)}
        words = [str(word) for word in command]
        return subprocess.run(words, env=environment, capture_output=True, text=True, timeout=60, check=False)

    def submit(self, path: Path, text: str, *options: str) -> str:
        """Submit a description; returns the cluster."""
        path.write_text(text)
        done = self.run("condor_submit", "-terse", *options, path)
        assert done.returncode == 0, done.stderr
        return done.stdout.partition(".")[0]

    def seen(self, cluster: str, *attributes: str) -> list[str]:
        """These attributes of the cluster's first job, as ClassAd text."""
        return self.run("condor_q", f"{cluster}.0", "-af:rt", *attributes).stdout.strip("\n").split("\t")

    def may_edit(self, cluster: str, attribute: str, value: str = '"forged"') -> bool:
        return self.run("condor_qedit", f"{cluster}.0", attribute, value).returncode == 0


@pytest.fixture(scope="module")
def alice(live_pool: LivePool) -> Shell:
    return Shell(live_pool, "alice")


@pytest.fixture(scope="module")
def job(alice: Shell, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A job of alice's that says of itself what it should not be believed."""
    cluster = alice.submit(tmp_path_factory.mktemp("authority") / "job.sub", FORGED)
    yield cluster
    alice.run("condor_rm", cluster)


def test_a_users_job_is_paid_by_its_owner_whatever_it_says(alice: Shell, job: str) -> None:
    assert alice.seen(job, "Owner", *WHO_PAYS) == ['"alice"', '"higgs"', '"alice"', '"higgs.alice"']


def test_an_accounting_group_written_past_the_submit_commands_is_not_believed(alice: Shell, tmp_path: Path) -> None:
    text = 'executable = /bin/true\nMy.AccountingGroup = "susy.bob"\nqueue\n'
    cluster = alice.submit(tmp_path / "job.sub", text)
    assert alice.seen(cluster, "AccountingGroup") == ['"alice"']
    alice.run("condor_rm", cluster)


def test_what_only_the_schedd_can_know_is_not_taken_from_the_user(alice: Shell, job: str) -> None:
    age, *rest = alice.seen(
        job, "QDate", "NumJobStarts", "RemoteWallClockTime", "MachineAttrGLIDEIN_Site0",
        "JobCurrentStartDate", "RouterDecision", "DESIRED_Sites", "AuthTokenGroups",
    )  # fmt: skip
    assert time.time() - int(age) < 600
    assert [float(each) for each in rest[:2]] == [0.0, 0.0]
    assert rest[2:] == ["undefined"] * 5


def test_each_job_says_by_which_token_it_came(alice: Shell, job: str) -> None:
    subject, issuer = alice.seen(job, "AuthTokenSubject", "AuthTokenIssuer")
    assert subject == f'"alice@{issuer.strip(chr(34))}"'


@pytest.mark.parametrize("attribute", [*WHAT_IS_BELIEVED, *WHO_PAYS, *WHAT_RUNS])
def test_a_user_cannot_edit_what_is_believed_or_runs(alice: Shell, job: str, attribute: str) -> None:
    assert not alice.may_edit(job, attribute)


@pytest.mark.parametrize("attribute", [*WHO_PAYS, *WHAT_RUNS])
def test_even_a_queue_super_user_cannot_edit_who_pays_or_what_runs(
    live_pool: LivePool, job: str, attribute: str
) -> None:
    before = Shell(live_pool, "router").seen(job, attribute)
    assert not Shell(live_pool, "router").may_edit(job, attribute)
    assert Shell(live_pool, "router").seen(job, attribute) == before


@pytest.mark.parametrize("attribute", ["RouterAllowSites", "RouterDataset", "JobPrio", "Requirements"])
def test_a_user_may_edit_wishes(alice: Shell, job: str, attribute: str) -> None:
    before = alice.seen(job, attribute)
    assert alice.may_edit(job, attribute, "7" if attribute == "JobPrio" else '"SITE_B"')
    assert alice.seen(job, attribute) != before


def test_the_router_may_place_a_job(live_pool: LivePool, job: str) -> None:
    router = Shell(live_pool, "router")
    assert router.may_edit(job, "RouterDecision", '[Epoch = 1; Sites = "SITE_B"]')
    assert router.may_edit(job, "DESIRED_Sites", '"SITE_B"')


@pytest.mark.parametrize("extra", ["", 'My.Owner = "alice"\n'])
def test_the_router_submits_nothing_as_itself_or_as_a_user(live_pool: LivePool, tmp_path: Path, extra: str) -> None:
    path = tmp_path / "job.sub"
    path.write_text(f"executable = /bin/true\n{extra}queue\n")
    done = Shell(live_pool, "router").run("condor_submit", "-terse", path)
    assert done.returncode != 0
    assert "The router submits no jobs" in done.stderr or "not permitted" in done.stderr


@pytest.mark.parametrize("user", ["glidein-SITE_A", "factory", "bob"])
def test_nobody_else_takes_a_users_job_away(live_pool: LivePool, alice: Shell, job: str, user: str) -> None:
    assert Shell(live_pool, user).run("condor_rm", job).returncode != 0
    assert alice.seen(job, "JobStatus") == ["1"]


@pytest.mark.parametrize("kind", ["STARTD", "SCHEDD", "MASTER", "SUBMITTOR", "COLLECTOR", "AD_GENERIC"])
def test_a_users_token_advertises_nothing(live_pool: LivePool, alice: Shell, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "ad"
    path.write_text(f'MyType = "Machine"\nName = "forged-{kind}"\nMyAddress = "<127.0.0.1:9>"\n')
    name = f"UPDATE_{kind}" if kind.startswith("AD_") else f"UPDATE_{kind}_AD"
    alice.run("condor_advertise", "-tcp", name, path)
    found = Shell(live_pool, "admin").run("condor_status", "-any", "-af", "Name").stdout
    assert f"forged-{kind}" not in found


def test_holding_releasing_spooling_and_late_jobs_work_under_the_protection(alice: Shell, tmp_path: Path) -> None:
    spooled = alice.submit(tmp_path / "a", "executable = /bin/sleep\narguments = 9\nqueue\n", "-spool")
    late = alice.submit(tmp_path / "b", "executable = /bin/sleep\narguments = 9\nmax_materialize = 1\nqueue 3\n")
    try:
        assert "/spool/" in alice.seen(spooled, "Iwd")[0]
        until(lambda: alice.seen(late, "AccountingGroup") == ['"alice"'])
        assert alice.run("condor_hold", late).returncode == 0
        assert alice.seen(late, "JobStatus") == ["5"]
        assert alice.run("condor_release", late).returncode == 0
        assert alice.seen(late, "JobStatus") == ["1"]
    finally:
        alice.run("condor_rm", spooled, late)
