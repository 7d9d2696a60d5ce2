"""SciTokens: the schedd takes people for whom the issuer says they are, of the groups it says, and for no more."""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pool_backend
import pytest
from issuer import AUDIENCE, ISSUER, Issuer

from router.embedded.pool import EmbeddedPool
from router.model import share_document
from router.render import negotiator
from router.resources import folder

pytestmark = pytest.mark.pool

POLICY = """
groups:
  higgs: {quota: 40 %, members: [alice, /vo/higgs], groups: {zz: {quota: 50 %, members: [/vo/higgs/zz]}}}
  susy: {quota: 30 %, members: [/vo/susy]}
"""
HIGGS = ("/vo", "/vo/higgs")


@dataclass
class Vo:
    """A pool that trusts an issuer."""

    pool: EmbeddedPool
    issuer: Issuer
    certificate: Path
    scratch: Path

    def run(self, token: str, *command: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a tool of HTCondor's with this SciToken and no other credential."""
        file = self.scratch / "token"
        file.write_text(token)
        file.chmod(0o600)
        own = {
            "_CONDOR_SEC_CLIENT_AUTHENTICATION_METHODS": "SCITOKENS",
            "_CONDOR_SEC_TOKEN_DIRECTORY": "/nonexistent",
            "_CONDOR_AUTH_SSL_CLIENT_CAFILE": str(self.certificate),
            "_CONDOR_SSL_SKIP_HOST_CHECK": "True",  # 127.0.0.1 has no name
            "_CONDOR_SCITOKENS_FILE": str(file),
        }
        environment = {**os.environ, **self.pool.env("nobody"), **own}
        words = [str(word) for word in command]
        return subprocess.run(words, env=environment, capture_output=True, text=True, timeout=60, check=False)

    def submit(self, token: str, *lines: str) -> subprocess.CompletedProcess[str]:
        path = self.scratch / "job.sub"
        path.write_text("\n".join(["executable = /bin/sleep", *lines, "queue", ""]))
        return self.run(token, "condor_submit", "-terse", path)

    def submitted(self, token: str, *lines: str) -> dict[str, str]:
        """What the queue says of a job submitted with this token."""
        done = self.submit(token, *lines)
        assert done.returncode == 0, done.stderr
        told = ("Owner", "AccountingGroup", "AuthTokenSubject", "AuthTokenIssuer", "AuthTokenGroups")
        seen = self.run(token, "condor_q", "-all", done.stdout.split(".")[0], "-af:t", *told).stdout
        return dict(zip(told, seen.strip("\n").split("\t"), strict=True))


@pytest.fixture(scope="module")
def vo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vo]:
    scratch, issuer = tmp_path_factory.mktemp("vo"), Issuer()
    certificate, key = issuer.certificate(scratch)
    (scratch / "users.map").write_text(f'SCITOKENS "{ISSUER},sub-of-carol" carol\n')
    policy = share_document.read(POLICY, "policy.yaml").policy
    with pool_backend.home() as home:
        try:
            pool = pool_backend.prepare(home)
        except Exception as error:  # whatever keeps this machine from running a pool
            pool_backend.give_up(str(error))
        place = pool.home / "config.d"
        place.mkdir(parents=True)
        files = negotiator.render(policy, folder("negotiator_policies"), "policy.yaml", place / negotiator.MAP_FILE)
        for name, text in files.items():
            (place / name).write_text(text)
        issuer.publish(pool.home / "run/cache")
        (place / "70-tokens.config").write_text(
            f"{folder('schedd_config').joinpath('access-point/70-tokens.config').read_text()}\n"
            f"CERTIFICATE_MAPFILE = {scratch}/users.map\nSCITOKENS_SERVER_AUDIENCE = {AUDIENCE}\n"
            f"AUTH_SSL_SERVER_CERTFILE = {certificate}\nAUTH_SSL_SERVER_KEYFILE = {key}\n"
            f"AUTH_SSL_SERVER_CAFILE = {certificate}\n"
        )
        with pool_backend.running(pool):
            yield Vo(pool, issuer, certificate, scratch)


def test_the_owner_and_the_payer_come_from_the_token(vo: Vo) -> None:
    assert vo.submitted(vo.issuer.token("sub-of-carol", *HIGGS)) == {
        "Owner": "carol",
        "AccountingGroup": "higgs.carol",
        "AuthTokenSubject": "sub-of-carol",
        "AuthTokenIssuer": ISSUER,
        "AuthTokenGroups": "/vo,/vo/higgs",
    }


def test_of_several_groups_in_a_token_the_job_may_name_any(vo: Vo) -> None:
    token = vo.issuer.token("sub-of-carol", *HIGGS, "/vo/higgs/zz", "/vo/susy")
    named = vo.submitted(token, "accounting_group = higgs.zz", 'My.AccountingGroup = "susy.bob"')
    assert named["AccountingGroup"] == "higgs.zz.carol"


@pytest.mark.parametrize("groups", [HIGGS, ("/vo", "/vo/susyish"), ("/other/vo/susy",), ()])
def test_a_group_that_is_not_in_the_token_is_refused_in_words(vo: Vo, groups: tuple[str, ...]) -> None:
    done = vo.submit(vo.issuer.token("sub-of-carol", *groups), "accounting_group = susy")
    assert done.returncode != 0
    assert "carol is no member of the group susy" in done.stderr


def test_groups_that_a_job_says_it_has_do_not_count(vo: Vo) -> None:
    done = vo.submit(vo.issuer.token("sub-of-carol"), "accounting_group = susy", 'My.AuthTokenGroups = "/vo/susy"')
    assert "carol is no member of the group susy" in done.stderr


def test_a_token_that_may_only_read_submits_nothing(vo: Vo) -> None:
    token = vo.issuer.token("sub-of-carol", *HIGGS, scope="condor:/READ")
    assert vo.run(token, "condor_q", "-all").returncode == 0
    assert vo.submit(token).returncode != 0


BAD = {
    "of_another_issuer": lambda vo: vo.issuer.token("sub-of-carol", *HIGGS, iss="https://evil.test/vo"),
    "signed_by_another_key": lambda vo: Issuer().token("sub-of-carol", *HIGGS),
    "for_another_service": lambda vo: vo.issuer.token("sub-of-carol", *HIGGS, aud="https://other.test"),
    "expired": lambda vo: vo.issuer.token("sub-of-carol", *HIGGS, lifetime=-120),
    "of_somebody_unknown": lambda vo: vo.issuer.token("sub-of-mallory", *HIGGS),
    "of_a_subject_called_condor": lambda vo: vo.issuer.token("condor", *HIGGS),
    "without_signature": lambda vo: vo.issuer.token("sub-of-carol", *HIGGS).rpartition(".")[0] + ".",
    "changed_after_signing": lambda vo: _changed(vo.issuer.token("sub-of-carol", *HIGGS)),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_token_gets_nothing(vo: Vo, kind: str) -> None:
    token = BAD[kind](vo)
    assert vo.submit(token).returncode != 0
    done = vo.run(token, "condor_q", "-all", "-af", "Owner")
    assert done.returncode != 0
    assert "carol" not in done.stdout


@pytest.mark.parametrize("kind", ["STARTD", "SCHEDD", "MASTER"])
def test_a_scitoken_advertises_nothing_even_when_it_claims_the_right(vo: Vo, kind: str) -> None:
    ad = vo.scratch / "ad"
    ad.write_text(f'MyType = "Machine"\nName = "forged-{kind}"\nMyAddress = "<127.0.0.1:9>"\n')
    token = vo.issuer.token("sub-of-carol", scope=f"condor:/READ condor:/WRITE condor:/ADVERTISE_{kind}")
    vo.run(token, "condor_advertise", "-tcp", f"UPDATE_{kind}_AD", ad)
    assert f"forged-{kind}" not in vo.run(token, "condor_status", "-any", "-af", "Name").stdout


def test_idtokens_work_beside_scitokens(vo: Vo) -> None:
    path = vo.scratch / "own.sub"
    path.write_text("executable = /bin/true\nqueue\n")
    environment = {**os.environ, **vo.pool.env("alice")}
    command = ["condor_submit", "-terse", str(path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def _changed(token: str) -> str:
    head, body, signature = token.split(".")
    middle = len(body) // 2
    return f"{head}.{body[:middle]}{'A' if body[middle] != 'A' else 'B'}{body[middle + 1 :]}.{signature}"
