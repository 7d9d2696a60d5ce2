"""An analysis in Python: a value, run and collected, and found again."""

from pathlib import Path

import pytest

from router import Session
from router.errors import RouterError, TemporaryError, UserError
from router.model import payload


def a_submitted(session, **changes):
    made = session.analysis("zmumu").exec("analyse.py", files=["cuts.json"]).query("/demo/zmumu")
    return made.split(by="events", target=60).outputs("counts.csv", **changes).run()


def test_a_step_leaves_the_analysis_before_it_as_it_was(session):
    first = session.analysis("zmumu").exec("analyse.py")
    text = first.yaml
    assert first.outputs("a.csv") != first
    assert first.yaml == text
    assert first.outputs("a.csv").outputs("b.csv").spec.payload().outputs == (
        payload.Output("a.csv"),
        payload.Output("b.csv"),
    )


def test_every_step_says_its_part_of_the_document(session):
    made = session.analysis("scan").exec("analyse.py", 1.5, environment={"N": 3}, container="docker://debian:12")
    made = made.sweep(mass=[110, 120], seed=range(1, 7, 2), combine=None).sites(block=["SITE_B"])
    found = made.options(group="higgs", priority=5, move=False).requests(cpus=2, gpus=1).spec.payload()
    assert (found.arguments, found.environment, found.block) == (("1.5",), (("N", "3"),), ("SITE_B",))
    assert dict(found.sweep.values) == {"mass": ("110", "120"), "seed": ("1", "3", "5")}
    assert (found.group, found.priority, found.move, found.requests.gpus.count) == ("higgs", 5, False, 1)
    asked = session.analysis("q").exec("analyse.py").query("/demo//: run > 5").spec.payload()
    assert str(asked.search.place) == "/demo//"


def test_the_commands_document_and_the_analysis_are_the_same_submission(session, here):
    made = session.analysis("zmumu").exec("analyse.py").query("/demo/zmumu").split(by="files", target=2)
    (here / "my.yaml").write_text(made.yaml)
    assert session.read("my.yaml") == made
    assert session.router.plan((here / "my.yaml").read_text(), "my.yaml", here).batches == made.plan().batches


def test_code_that_is_not_there_is_told_before_anything_is_submitted(session):
    with pytest.raises(UserError, match=r"Not found: .*gone.py"):
        session.analysis("zmumu").exec("gone.py").run()
    assert session.tasks() == []


def test_a_task_is_found_by_name_and_is_the_same_analysis_elsewhere(session):
    task = a_submitted(session, merge=True)
    with Session() as elsewhere:
        again = elsewhere.load("zmumu")
        assert again == task
        assert again.analysis == task.analysis
        assert [each.id for each in elsewhere.tasks()] == [task.id]
        code = dict(again.analysis.code)
    assert code["analyse.py"].read_text() == "print('hello')\n"


def test_a_task_submitted_again_with_other_code_runs_that(session, here):
    task = a_submitted(session)
    newer = task.resubmit(code="newer")
    kept = dict(newer.analysis.code)
    assert (kept["analyse.py"].read_text(), kept["cuts.json"].read_text()) == ("print('hello again')\n", "{}\n")
    assert newer.analysis.spec == task.analysis.spec
    (here / "empty").mkdir()
    with pytest.raises(UserError, match=r"has none of analyse.py, cuts.json"):
        task.resubmit(code="empty")


def test_waiting_ends_when_the_task_does_and_hears_of_it(session):
    heard: list[int] = []
    task = a_submitted(session, merge=True)
    found = task.wait(progress=lambda status: heard.append(status.counts.get("finished", 0)))
    assert (found.succeeded, heard[0], heard[-1]) == (True, 0, 7)


def test_waiting_gives_up_in_time_and_the_task_goes_on(session):
    task = a_submitted(session)
    with pytest.raises(TemporaryError, match="is not done after 0 s; it goes on"):
        task.wait(timeout=0)
    assert task.info().counts == {"idle": 6}


def test_partial_results_grow_and_what_is_there_is_not_copied_again(session, world, here):
    task = a_submitted(session)
    world.run(1)
    some = task.results("got", partial=True)
    assert (len(some.files), some.missing) == (2, 4)
    before = some.files[0].stat().st_ino
    world.run()
    whole = task.results("got", merge=True)
    assert (len(whole.files), whole.missing, whole.joined) == (6, 0, (Path("got/counts_merged.csv"),))
    assert whole.files[0].stat().st_ino == before
    assert len(whole.joined[0].read_text().splitlines()) == 7


def test_a_copy_that_was_changed_is_made_anew(session, world):
    task = a_submitted(session)
    world.run()
    (first, *_) = task.results("got").files
    text = first.read_text()
    first.write_text("x" * len(text))
    assert task.results("got").files[0].read_text() == text


def test_files_that_cannot_be_joined_are_kept_and_the_reason_told(session, world):
    task = a_submitted(session)
    world.headers["0003"] = "CHANNEL,EVENTS\n"
    world.run()
    with pytest.raises(RouterError, match=r"counts_merged.csv was not made: counts_0003.csv: its header differs"):
        task.results("got", merge=True)
    assert not list(Path("got").glob("*merged*"))
    assert len(list(Path("got").iterdir())) == 6


def test_a_notebook_shows_a_task_by_the_states_of_its_jobs(session):
    shown = a_submitted(session)._repr_html_()
    assert "<td>idle</td><td>6</td><td>100%</td>" in shown
    assert "Session of alice" in session._repr_html_()


def test_a_folder_goes_with_the_jobs_and_is_kept_once_for_all_tasks(session, here):
    (here / "mylib").mkdir()
    (here / "mylib" / "cut.py").write_text("CUT = 1")
    task = session.analysis("lib").exec("analyse.py", folder="mylib").run()
    again = task.resubmit()
    (first, second) = (dict(each.analysis.code)["mylib"] for each in (task, again))
    assert (first.name, first.stat().st_ino) == ("mylib.tar.gz", second.stat().st_ino)
    assert again.analysis.spec == task.analysis.spec
    (here / "newer" / "mylib").mkdir()
    (here / "newer" / "mylib" / "cut.py").write_text("CUT = 2")
    other = dict(task.resubmit(code="newer").analysis.code)["mylib"]
    assert other.read_bytes() != first.read_bytes()


def test_what_a_program_of_the_users_joins_is_not_joined_here(session, world, here):
    (here / "add.py").write_text("")
    made = session.analysis("own").exec("analyse.py").options(jobs=2).outputs("counts.csv", merge_with="add.py")
    task = made.run()
    assert dict(task.analysis.code)["add.py"].is_file()
    world.run()
    with pytest.raises(RouterError, match=r"counts\.csv is joined by your program add\.py, which only merge jobs run"):
        task.results("got", partial=True, merge=True)
    assert len(list((here / "got").iterdir())) == 2
