"""The command line, traces and figures of the quality bench."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchmarks.quality import main
from benchmarks.quality.calibration import VARIABLE, calibration
from benchmarks.quality.figures import interval, over_seeds, ratios
from benchmarks.quality.shares import share_error
from benchmarks.quality.trace import Trace
from router.errors import UserError

JOBS = """job,submit_s,runtime_s,cores,user,vo,dataset,input_bytes
1,0,600,1,ann,cms,/a,1e9
2,10,600,1,ann,cms,/a,1e9
3,20,900,2,bob,cms,,
4,4000,600,1,ann,cms,/b,1e9
"""
SITES = "site,slots,storage\nNORTH,4,/a\nSOUTH,2,\n"
KEYS = [
    "wait_mean_h",
    "wait_p50_h",
    "wait_p95_h",
    "wait_p99_h",
    "task_t95_h",
    "task_t100_over_t90",
    "makespan_h",
    "makespan_over_bound",
    "moved_tb",
    "moved_over_least",
    "wasted_fraction",
    "edits_per_job",
    "share_error",
    "cpu_us_per_job",
]


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], Path]:
    """Writes a file of this name and text."""

    def make(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return make


def test_one_json_object_with_every_figure_and_its_interval_is_on_standard_output(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    arguments = "--scenario Q2 --policies any,replicas --seeds 2 --jobs 200 --sites 4 --json -"
    assert main(arguments.split()) == 0
    found = json.loads(capsys.readouterr().out)
    for name in ("any", "replicas"):
        for key in KEYS:
            assert {key, f"{key}_ci"} <= found["policies"][name].keys()
    assert found["ratios"]["any/replicas"]["wait_mean_h"] > 0
    assert found["source"] == "fitted"


@pytest.mark.parametrize("there", [True, False], ids=["with OR-tools", "without OR-tools"])
def test_the_least_makespan_is_said_to_be_missing_without_or_tools(
    there: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if not there:
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    target = tmp_path / "found.json"
    arguments = f"--scenario backlog --policies any --seeds 1 --jobs 100 --sites 3 --json {target}"
    assert main(arguments.split()) == 0
    found = json.loads(target.read_text())
    figures = found["policies"]["any"]
    assert (found["bounds"]["makespan_by_flow"], figures["makespan_over_bound"] is not None) == (there, there)
    assert ("T* and the least bytes are missing" in " ".join(capsys.readouterr().out.split())) is not there


def test_plots_are_written_where_they_are_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = f"--scenario Q1 --policies any --seeds 1 --jobs 100 --sites 3 --plots {tmp_path / 'plots'}"
    assert main(arguments.split()) == 0
    assert "mean wait" in capsys.readouterr().out
    assert {path.name for path in (tmp_path / "plots").iterdir()} == {
        "wait_cdf.png",
        "wait_by_policy.png",
        "bytes_vs_wait.png",
    }


def test_a_trace_is_simulated_with_its_sites_and_downtimes(
    write: Callable[[str, str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    downtimes = write("down.csv", "site,start,end,created,services\nNORTH,100,5000,200,CE\nWEST,0,9,,CE\n")
    files = ["--trace", str(write("jobs.csv", JOBS)), "--sites", str(write("sites.csv", SITES))]
    assert main([*files, "--downtimes", str(downtimes), "--policies", "replicas", "--seeds", "1", "--json", "-"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["jobs"], found["batches"], found["slots"]) == (4, 3, 6)
    assert found["policies"]["replicas"]["wait_p99_h"] > 1


def test_data_lies_where_the_trace_says_and_else_always_at_the_same_places(write: Callable[[str, str], Path]) -> None:
    files = write("jobs.csv", JOBS), write("sites.csv", SITES), None
    first, second = Trace.read(*files).workload, Trace.read(*files).workload
    assert first.batches[0].replicas == (0,)
    assert first.batches[1].replicas == ()
    assert first.batches[2].replicas == second.batches[2].replicas != ()


def test_storage_may_be_a_size_and_a_site_without_any_holds_nothing(write: Callable[[str, str], Path]) -> None:
    sites = write("sites.csv", "site,slots,storage\nNORTH,4,0\nSOUTH,2,100\n")
    workload = Trace.read(write("jobs.csv", JOBS), sites, None).workload
    assert [batch.replicas for batch in workload.batches] == [(1,), (), (1,)]


@pytest.mark.parametrize(
    ("jobs", "sites", "says"),
    [
        (JOBS, "site,cores\nA,1\n", "has no column slots"),
        (JOBS, "site,slots\nA,none\n", "line 2"),
        (JOBS, "site,slots\nA,0\n", "must be at least 1"),
        (JOBS.replace("600", "-1"), SITES, "must be positive"),
        (JOBS.splitlines()[0], SITES, "has no jobs"),
        (JOBS.replace("900,2", "900,9"), SITES, "jobs of 9 cores"),
    ],
)
def test_a_faulty_trace_is_refused_with_file_and_line(
    write: Callable[[str, str], Path], jobs: str, sites: str, says: str
) -> None:
    with pytest.raises(UserError, match=says):
        Trace.read(write("jobs.csv", jobs), write("sites.csv", sites), None)


@pytest.mark.parametrize(
    "arguments", ["--scenario Q99", "--policies nobody", "--seeds 0", "--trace nowhere.csv", "--sites few"]
)
def test_wrong_arguments_end_with_two_and_a_sentence(arguments: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*arguments.split(), "--jobs", "10"]) == 2
    assert capsys.readouterr().err


def test_data_that_cannot_be_read_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    with pytest.raises(UserError, match="unset it"):
        calibration()


def test_the_interval_of_ten_equal_seeds_is_a_point() -> None:
    assert interval([2.0] * 10) == [2.0, 2.0]


def test_the_interval_is_students() -> None:
    low, high = interval([1.0, 2.0, 3.0])
    assert (high - low) / 2 == pytest.approx(4.30 / np.sqrt(3))


def test_a_figure_without_meaning_stays_without() -> None:
    assert over_seeds([{"x": None}, {"x": None}]) == {"x": None, "x_ci": None}


def test_ratios_are_of_means_over_the_same_seeds() -> None:
    found = ratios([{"x": 1.0}, {"x": 3.0}], [{"x": 2.0}, {"x": 6.0}])
    assert found["x"] == pytest.approx(0.5)
    assert found["x_ci"] == pytest.approx([0.5, 0.5])


class _User:
    def __init__(self, group: str, running: int, idle: int) -> None:
        self.group, self.running, self.idle = group, running, idle


def test_a_pool_shared_as_promised_is_not_in_error() -> None:
    users = [_User("a", 70, 5), _User("b", 30, 5)]
    assert share_error(users, {"a": 0.7, "b": 0.3}) == pytest.approx(0.0)


def test_what_one_has_too_much_is_the_error() -> None:
    users = [_User("a", 50, 5), _User("b", 50, 5)]
    assert share_error(users, {"a": 0.7, "b": 0.3}) == pytest.approx(0.2)


def test_who_wants_no_more_leaves_his_part_to_the_others() -> None:
    users = [_User("a", 10, 0), _User("b", 45, 9), _User("c", 45, 9)]
    assert share_error(users, {}) == pytest.approx(0.0)


def test_where_nobody_competes_there_is_no_error_to_speak_of() -> None:
    assert share_error([_User("a", 10, 5)], {}) is None
