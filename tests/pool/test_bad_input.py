"""Whatever is wrong, the user reads what happened, why and what to do, and never a traceback."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from organisation import Answer, Organisation, run

from router.embedded import processes
from router.embedded.state import load

pytestmark = pytest.mark.pool


def says(answer: Answer, code: int, *words: str) -> None:
    """The command failed with this code, in these words and without a traceback."""
    assert answer.code == code, answer
    for each in words:
        assert each in answer.err, answer.err
    assert "Traceback" not in answer.err + answer.out


def rewritten(payload: Path, old: str, new: str) -> Path:
    payload.write_text(payload.read_text().replace(old, new))
    return payload


def test_an_unknown_dataset_is_named_with_those_that_are_there(organisation: Organisation, payload: Path) -> None:
    answer = organisation.run("submit", rewritten(payload, "/test/data", "/test/dato"))
    says(answer, 2, "There is no dataset /test/dato", "/test/data")


def test_an_empty_dataset_is_refused(organisation: Organisation, payload: Path, tmp_path: Path) -> None:
    (tmp_path / "none.json").write_text("[]")
    assert organisation.run("dataset", "add", "/test/empty", tmp_path / "none.json").code == 0
    answer = organisation.run("submit", rewritten(payload, "/test/data", "/test/empty"))
    says(answer, 2, "/test/empty is empty")


def test_every_fault_of_a_payload_is_told_at_once_with_its_line(organisation: Organisation, payload: Path) -> None:
    payload.write_text("name: work\nexecutible: work.sh\nrequests: {memory: 1}\nsplit: {by: fils}\n")
    says(
        organisation.run("submit", payload),
        2,
        "line 2: executible: is not a known key; did you mean 'executable'?",
        "executable: is missing",
        "line 3: requests.memory: must be a size",
        "line 4: split.by: must be one of files, events, size, blocks, lumis, lumi-events, auto, not 'fils'",
    )


def test_a_request_that_no_site_can_ever_fulfil_ends_with_three_and_the_reasons(
    organisation: Organisation, payload: Path
) -> None:
    answer = organisation.run("submit", rewritten(payload, "1 GB", "500 GB"))
    says(answer, 3, "SITE_A: asks for 512,000 MB of memory", "SITE_B: asks for 512,000 MB of memory", "Ask for less")


def test_a_missing_program_is_named(organisation: Organisation, payload: Path, tmp_path: Path) -> None:
    (tmp_path / "work.sh").unlink()
    says(organisation.run("submit", payload), 2, "work.sh", "beside the payload document")


def test_an_unknown_task_and_an_unknown_site_are_told(organisation: Organisation) -> None:
    says(organisation.run("status", "nosuch"), 2, "There is no task nosuch")
    says(organisation.run("why", "nosuch"), 2, "There is no task nosuch")
    says(organisation.run("sites", "drain", "SITE_X"), 2, "There is no site SITE_X", "SITE_A")


def test_without_a_pool_the_user_is_told_how_to_start_one(organisation: Organisation, payload: Path) -> None:
    elsewhere = payload.parent / "home"
    elsewhere.mkdir()
    (elsewhere / "glideroute.yaml").write_text((organisation.home / "glideroute.yaml").read_text())
    environment = {**organisation.environment("alice"), "GLIDEROUTE_HOME": str(elsewhere)}
    for name in [name for name in environment if name.startswith(("CONDOR_", "_CONDOR_"))]:
        del environment[name]
    payload.write_text("name: work\nexecutable: work.sh\nrequests: {memory: 1 GB}\n")
    says(run(("submit", payload), environment), 4, "glideroute pool up")


def test_a_pool_that_is_down_is_told_so(organisation: Organisation, payload: Path, tmp_path: Path) -> None:
    environment = pool_of_others(organisation, tmp_path)
    config = tmp_path / "down.config"
    text = Path(organisation.live.pool.env("alice")["CONDOR_CONFIG"]).read_text()
    config.write_text(text + "\nCOLLECTOR_HOST = 127.0.0.1:1\nSCHEDD_ADDRESS_FILE = /nonexistent\nSCHEDD_HOST = x@y\n")
    environment |= {"CONDOR_CONFIG": str(config)}
    payload.write_text("name: work\nexecutable: work.sh\nrequests: {memory: 1 GB}\n")
    says(run(("submit", payload), environment), 4, "HTCondor cannot be reached", "Is the pool running?")


def test_a_user_without_a_token_is_told_so(organisation: Organisation, payload: Path, tmp_path: Path) -> None:
    environment = pool_of_others(organisation, tmp_path)
    (tmp_path / "tokens").mkdir()
    environment |= {"_CONDOR_SEC_TOKEN_DIRECTORY": str(tmp_path / "tokens")}
    payload.write_text("name: work\nexecutable: work.sh\nrequests: {memory: 1 GB}\n")
    says(run(("submit", payload), environment), 1, "token")


def test_a_frozen_schedd_is_given_up_after_the_deadline(organisation: Organisation, payload: Path) -> None:
    with frozen_schedd(organisation):
        started = time.monotonic()
        answer = organisation.run("submit", payload)
        took = time.monotonic() - started
    says(answer, 4, "did not answer", "glideroute pool status")
    assert took < 15


def pool_of_others(organisation: Organisation, folder: Path) -> dict[str, str]:
    """The environment of a user whose HTCondor is the machine's, not glideroute's own."""
    home = folder / "other-home"
    home.mkdir()
    (home / "glideroute.yaml").write_text((organisation.home / "glideroute.yaml").read_text())
    return {
        **organisation.environment("alice"),
        **organisation.live.pool.env("alice"),
        "GLIDEROUTE_HOME": str(home),
    }


@contextmanager
def frozen_schedd(organisation: Organisation) -> Iterator[None]:
    state = load(organisation.live.pool.home)
    assert state is not None
    assert state.holder is not None
    names = {p.pid: Path(f"/proc/{p.pid}/comm").read_text().strip() for p in processes.descendants(state.holder)}
    schedds = [pid for pid, name in names.items() if name == "condor_schedd"]
    assert schedds
    for pid in schedds:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in schedds:
            os.kill(pid, signal.SIGCONT)
