"""The speed benches apart from HTCondor: turns that hit all sides alike, figures as one JSON object, equal batches."""

import json
import subprocess

import pytest

from benchmarks import __main__ as program
from benchmarks import apply, job_router, measure, merge, observe, schedd, submit
from benchmarks.quality import compare
from benchmarks.quality.calibration import calibration
from benchmarks.quality.generate import Recipe
from benchmarks.quality.scenarios import setting
from router.errors import RouterError
from router.model.job import Decision
from router.model.task import Task
from router.testing.build import a_group, a_payload


def recorder(order, name, seconds):
    waiting = iter(seconds)

    def side():
        order.append(name)
        return next(waiting)

    return side


def test_sides_take_turns_in_order_and_back():
    order = []
    sides = {"a": recorder(order, "a", [1.0, 9.0, 2.0]), "b": recorder(order, "b", [5.0, 3.0, 4.0])}
    assert measure.in_turns(sides, 3) == {"a": 2.0, "b": 4.0}
    assert "".join(order) == "abbaab"


def test_figures_on_standard_output_are_one_json_object(capsys):
    measure.tell({"jobs": 2, "ratio": 0.5}, "A bench", "-")
    assert json.loads(capsys.readouterr().out) == {"jobs": 2, "ratio": 0.5}


def test_figures_in_a_file_leave_standard_output_alone(tmp_path, capsys):
    measure.tell({"jobs": 2}, "A bench", str(tmp_path / "found.json"))
    assert json.loads((tmp_path / "found.json").read_text()) == {"jobs": 2}
    assert capsys.readouterr().out == ""


def test_figures_for_a_person_are_a_table(capsys):
    measure.tell({"jobs": 20000, "ratio": 0.91234, "jobs_per_s": 12345.6}, "A bench", None)
    shown = capsys.readouterr().out
    assert "A bench" in shown
    assert "20,000" in shown
    assert "0.9123" in shown
    assert "12,346" in shown


@pytest.mark.parametrize("text", ["0", "-3", "many"])
def test_a_bench_of_no_jobs_is_refused(text, capsys):
    with pytest.raises(SystemExit) as ended:
        observe.main(["--jobs", text])
    assert ended.value.code == 2
    assert "--jobs" in capsys.readouterr().err


def test_a_bench_that_is_not_there_is_named_with_those_that_are(capsys):
    assert program.main(["speed"]) == 2
    assert "observe" in capsys.readouterr().err


def test_a_pool_that_does_not_start_is_told_in_words(monkeypatch, capsys):
    def broken(jobs, batches):
        raise RouterError("no HTCondor here")

    monkeypatch.setattr(submit, "measure", broken)
    assert program.main(["submit", "--json", "-"]) == 1
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "no HTCondor here\n")


@pytest.mark.parametrize(("jobs", "batches", "sizes"), [(10, 3, [4, 3, 3]), (2, 3, [1, 1]), (4, 1, [4])])
def test_jobs_are_dealt_evenly_and_each_has_its_name(jobs, batches, sizes):
    task = Task("t", "alice", a_payload(), "/t", 0.0)
    found = schedd.cut(task, jobs, batches)
    assert [len(batch.chunks) for batch in found] == sizes
    assert len({chunk.job for batch in found for chunk in batch.chunks}) == jobs


def test_a_turn_gives_each_cluster_the_sites_that_the_job_router_gives_it():
    old = Decision(1, 0, ("SITE_2_1",), (), "bench", "words", 1)
    move = apply.move(a_group(7, sites=("SITE_2_1",), decision=old), 2, sets=5)
    assert (move.old, move.decision.sites, move.is_move) == (("SITE_2_1",), ("SITE_2_2",), True)
    assert 'strcat("SITE_", ClusterId % 5, "_", BenchTurn)' in job_router.FRAGMENT.format(sets=5)


def test_a_pass_that_applied_less_than_it_decided_is_no_measurement():
    with pytest.raises(RouterError, match="1 of 2"):
        apply.refuse_less([object()], 2)


def test_the_short_version_shows_each_bench_as_its_own_table_and_keeps_what_it_has_of_a_failed_run(
    monkeypatch, tmp_path, capsys
):
    quality = compare.run(
        compare.Plan("Q1", ("any",), 1, lambda seed: setting(Recipe(jobs=50, sites=3), 0.0, calibration(), seed)),
        lambda words: None,
    ).document

    def run(command, **_):
        name = command[3]
        assert command[-2:] == ["--json", "-"]
        text = json.dumps(quality if name == "quality" else {"jobs": 3, "series": {"hour": [0.0, 1.0]}})
        return subprocess.CompletedProcess(command, int(name == "observe"), "" if name == "observe" else text)

    monkeypatch.setattr(program.subprocess, "run", run)
    monkeypatch.setattr(program, "RESULTS", tmp_path / "results.json")
    assert program.everything() == 1
    assert set(json.loads((tmp_path / "results.json").read_text())) == set(program.SHORT) - {"observe"}
    shown = capsys.readouterr().out
    assert "mean wait" in shown and "policies" not in shown and "hour" not in shown


@pytest.mark.parametrize("kind", ["histogram", "tree"])
def test_the_bench_of_merging_tells_what_each_way_takes(kind, monkeypatch, capsys):
    def run(program, parts, target):
        merged.append((program.stem, [part.name for part in parts], target.name))
        return merge.Cost(2.0, 1.0, 50.0)

    merged = []
    monkeypatch.setattr(merge, "run", run)
    monkeypatch.setattr(merge, "write_parts", lambda kind, count, home: files(home, count))
    monkeypatch.setattr(merge, "check", lambda *_: None)
    assert merge.main(["--kind", kind, "--parts", "5", "--fan-in", "2", "--json", "-"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["one_job_s"], told["tree_s"], told["tree_cpu_s"], told["tree_to_plain"]) == (2, 6, 6, 1 / 3)
    assert ("merge_files", ["tree-2-0.root", "tree-2-1.root"], "tree.root") in merged


def files(home, count):
    for number in range(count):
        (home / f"{number}.root").write_bytes(b"root")
    return [home / f"{number}.root" for number in range(count)]
