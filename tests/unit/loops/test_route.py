"""The route loop over the fake pool: passes that repeat, are cut anywhere, or find a pool that does not answer."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from fake_organisation import an_output_of

from router.errors import OutcomeUnknown, PoolUnreachable, UserError
from router.model.action import Place, Release, Wait
from router.model.downtime import Downtime
from router.model.job import JobState
from router.model.record import SiteState
from router.model.site import SiteStatus
from router.pool.eventlog import EventLog
from router.testing.build import a_batch, a_file, a_report
from router.testing.events import FakeEventLog


class Killed(BaseException):
    """kill -9, as far as a program can feel it."""


def test_a_pass_places_what_is_new_and_the_next_finds_nothing_to_do(organisation):
    organisation.submit()
    (place,) = organisation.step()
    assert isinstance(place, Place)
    (group,) = organisation.groups()
    assert (group.sites, group.decision) == (("SITE_A", "SITE_B"), place.decision)
    assert [(record.kind, record.outcome, record.jobs) for record in organisation.history()] == [
        ("place", "applied", 10)
    ]
    assert organisation.step() == []


def test_jobs_go_where_their_input_lies_as_the_catalogue_knows_it_now(organisation):
    there = a_file("/demo/f1.root", "SITE_B")
    organisation.store.register([there], "alice", 1.0)
    organisation.submit(a_batch(jobs=2, files=[there]))
    organisation.step()
    assert organisation.groups()[0].sites == ("SITE_B",)


def test_a_site_that_drains_loses_its_idle_jobs_and_keeps_its_running_ones(organisation):
    organisation.submit()
    organisation.drain("SITE_B")
    organisation.step()
    organisation.glidein("SITE_A", cores=4)
    assert organisation.pool.negotiate() == 4
    organisation.store.set_site_state(SiteState("SITE_B", SiteStatus.ONLINE, "", "bob", 2.0))
    organisation.drain("SITE_A")
    (move,) = organisation.step()
    assert (move.is_move, move.count) == (True, 6)
    by_state = {group.state: (group.count, group.sites) for group in organisation.groups()}
    assert by_state == {JobState.IDLE: (6, ("SITE_B",)), JobState.RUNNING: (4, ("SITE_A",))}
    assert organisation.step() == []


def test_a_downtime_closes_a_site_while_it_lasts_and_keeps_long_jobs_away_before(organisation):
    for site in ("SITE_A", "SITE_B"):
        organisation.glidein(site)
    begins = organisation.clock.now() + 3600
    announced = Downtime("SITE_B", begins, begins + 7200, SiteStatus.DRAINING, "new switches", "bob", 1.0)
    organisation.store.add_downtime(announced)
    organisation.submit(a_batch(jobs=5))
    (place,) = organisation.step()
    assert place.decision.sites == ("SITE_A",)
    organisation.drain("SITE_A")
    (back,) = organisation.step()
    assert (back.decision.sites, back.decision.tag) == (("SITE_B",), "site-draining")
    organisation.store.set_site_state(SiteState("SITE_A", SiteStatus.ONLINE, "", "bob", 2.0))
    organisation.clock.pass_time(3600)
    (away,) = organisation.step()
    assert (away.decision.sites, away.decision.tag) == (("SITE_A",), "site-draining")
    assert "SITE_B is draining: in downtime until 2023-11-15 01:13 UTC: new switches" in away.decision.words
    organisation.clock.pass_time(7200)
    organisation.drain("SITE_A")
    (again,) = organisation.step()
    assert again.decision.sites == ("SITE_B",)


def test_the_reason_of_a_wait_is_written_once(organisation):
    organisation.submit()
    organisation.drain("SITE_A")
    organisation.drain("SITE_B")
    (wait,) = organisation.step()
    assert isinstance(wait, Wait)
    assert organisation.step() == []
    assert [record.kind for record in organisation.history()] == ["wait"]
    organisation.store.set_site_state(SiteState("SITE_B", SiteStatus.OFFLINE, "a fire", "bob", 2.0))
    assert len(organisation.step()) == 1
    assert "a fire" in organisation.history()[-1].words


def test_the_reasons_of_a_cluster_whose_jobs_wait_for_different_ones_are_written_once(organisation):
    organisation.submit()
    for number, job in enumerate(organisation.pool.schedd.queue):
        more = {"memory_mb": 1_000_000} if number else {"cpus": 1000}
        job.like = replace(job.like, requests=replace(job.like.requests, **more))
    (wait,) = organisation.step()
    assert wait.count == 10
    assert " / " in wait.words
    assert organisation.step() == []
    assert len(organisation.history()) == 1


def killed_at(organisation, point):
    organisation.pool.break_at(point, Killed())
    with pytest.raises(Killed):
        organisation.step()


PLACE_POINTS = ["place", "place explained", "place applied"]


@pytest.mark.parametrize("point", PLACE_POINTS)
def test_a_router_killed_while_placing_ends_with_one_decision_applied(organisation, point):
    organisation.submit()
    killed_at(organisation, point)
    assert [record.outcome for record in organisation.history()] == ["pending"]
    organisation.clock.pass_time(60)
    organisation.step()
    (group,) = organisation.groups()
    assert (group.sites, group.decision.epoch, group.decision.moves) == (("SITE_A", "SITE_B"), 1, 0)
    assert [(record.kind, record.outcome) for record in organisation.history()] == [("place", "applied")]
    assert organisation.step() == []


@pytest.mark.parametrize("point", PLACE_POINTS)
@pytest.mark.parametrize("again", [None, *PLACE_POINTS])
def test_a_router_killed_while_moving_even_twice_counts_the_move_once(organisation, point, again):
    organisation.submit()
    organisation.step()
    organisation.drain("SITE_A")
    killed_at(organisation, point)
    if again and point != "place applied":
        killed_at(organisation, again)
    organisation.clock.pass_time(60)
    organisation.step()
    (group,) = organisation.groups()
    assert (group.sites, group.decision.epoch, group.decision.moves) == (("SITE_B",), 2, 1)
    assert [(record.kind, record.outcome) for record in organisation.history()] == [
        ("place", "applied"),
        ("move", "applied"),
    ]
    assert organisation.step() == []


def test_a_move_cut_short_and_overtaken_by_events_is_taken_back(organisation):
    organisation.submit()
    organisation.step()
    organisation.drain("SITE_A")
    killed_at(organisation, "place explained")
    organisation.store.set_site_state(SiteState("SITE_A", SiteStatus.ONLINE, "", "bob", 2.0))
    organisation.step()
    (group,) = organisation.groups()
    assert (group.sites, group.decision.sites, group.decision.moves) == (("SITE_A", "SITE_B"),) * 2 + (0,)
    organisation.step()
    assert [(record.kind, record.outcome) for record in organisation.history()] == [
        ("place", "applied"),
        ("move", "superseded"),
        ("place", "applied"),
    ]


@pytest.mark.parametrize("point", PLACE_POINTS)
def test_an_edit_without_an_answer_is_settled_by_what_the_pool_then_shows(organisation, point):
    organisation.submit()
    organisation.pool.break_at(point, OutcomeUnknown("no answer within 60 s"))
    with pytest.raises(OutcomeUnknown):
        organisation.step()
    assert [record.outcome for record in organisation.history()] == ["unknown"]
    organisation.step()
    assert [record.outcome for record in organisation.history()] == ["applied"]
    assert organisation.groups()[0].decision.epoch == 1


def test_jobs_that_start_while_a_decision_is_taken_keep_what_they_had(organisation):
    organisation.submit()
    organisation.step()
    organisation.glidein("SITE_A")
    organisation.drain("SITE_A")
    route = organisation.route()
    seen = organisation.pool.jobs

    def jobs_then_start():
        found = seen()
        organisation.pool.negotiate()
        return found

    organisation.pool.jobs = jobs_then_start
    (move,) = route.step()
    assert move.count == 10
    by_state = {group.state: (group.count, group.sites) for group in seen()}
    assert by_state == {JobState.RUNNING: (8, ("SITE_A", "SITE_B")), JobState.IDLE: (2, ("SITE_B",))}


def test_a_decision_that_met_no_job_is_superseded(organisation):
    organisation.submit()
    route = organisation.route()
    seen = organisation.pool.jobs

    def jobs_then_remove():
        found = seen()
        organisation.pool.remove("zmumu-1", "gone")
        return found

    organisation.pool.jobs = jobs_then_remove
    assert route.step() == []
    assert [record.outcome for record in organisation.history()] == ["superseded"]
    assert route.counts.decisions == {("place", "superseded"): 1}


@pytest.mark.parametrize("source", ["jobs", "ended"])
def test_a_source_that_cannot_be_read_stops_the_pass_before_anything_is_changed(organisation, source):
    organisation.submit()
    organisation.pool.break_at(source, PoolUnreachable("down"))
    with pytest.raises(PoolUnreachable):
        organisation.step()
    assert organisation.history() == []
    assert organisation.groups()[0].sites is None
    assert len(organisation.step()) == 1


def test_what_a_router_did_is_counted_for_the_metrics(organisation):
    organisation.submit()
    route = organisation.route()
    route.step()
    organisation.drain("SITE_A")
    route.step()
    assert route.counts.decisions == {("place", "applied"): 1, ("move", "applied"): 1}
    assert route.counts.moves == {"site-draining": 10}
    assert route.counts.refusals == {"site-draining": 1}


def finished(organisation, jobs: int = 2, merge: bool = False):
    """A task of `jobs` jobs that have ended well at SITE_A."""
    task = organisation.submit(a_batch(jobs=jobs), merge=merge)
    organisation.step()
    organisation.glidein("SITE_A")
    organisation.pool.negotiate()
    organisation.clock.pass_time(60)
    organisation.pool.finish("SITE_A")
    return task


def report(task, job, **changes):
    told = {"task": task.id, "outputs": [an_output_of(task, job)]} | changes
    return a_report(job, **told)


def test_outputs_are_registered_from_the_reports(organisation):
    task = finished(organisation)
    organisation.reports.add(task.id, "0000", report(task, "0000"))
    organisation.reports.add(task.id, "0001", report(task, "0001"))
    organisation.step()
    organisation.step()
    assert organisation.store.listing(task.outputs) == [
        f"{task.outputs}/hist_0000.root",
        f"{task.outputs}/hist_0001.root",
    ]
    assert organisation.store.outcomes(0)["SITE_A"].succeeded == 2


def test_the_merge_job_is_released_once_and_only_when_the_last_report_is_read(organisation):
    task = finished(organisation, merge=True)
    organisation.reports.add(task.id, "0000", report(task, "0000"))
    assert organisation.step() == []
    assert organisation.merge_group().state is JobState.HELD
    organisation.reports.add(task.id, "0001", report(task, "0001"))
    assert [type(action) for action in organisation.step()] == [Release]
    assert organisation.merge_group().state is JobState.IDLE
    assert [type(action) for action in organisation.step()] == [Place]
    assert organisation.step() == []


@pytest.mark.parametrize("point", ["release", "release applied"])
def test_a_router_killed_while_releasing_releases_once(organisation, point):
    task = finished(organisation, jobs=1, merge=True)
    organisation.reports.add(task.id, "0000", report(task, "0000"))
    killed_at(organisation, point)
    organisation.step()
    organisation.step()
    merge = organisation.merge_group()
    assert merge.state is JobState.IDLE
    released = [record for record in organisation.history(merge.cluster) if record.kind == "release"]
    assert [record.outcome for record in released] == ["applied"]


FOREIGN = ["/user/bob/zmumu-1/x.root", "/user/alice/zmumu-10/x.root", "/user/alice/zmumu-1", "/demo/f1.root"]


@pytest.mark.parametrize("lfn", FOREIGN)
def test_a_report_that_names_an_output_outside_its_task_is_not_used_at_all(organisation, lfn):
    task = finished(organisation, jobs=1, merge=True)
    outputs = [an_output_of(task, "0000"), a_file(lfn, "SITE_A")]
    organisation.reports.add(task.id, "0000", report(task, "0000", outputs=outputs))
    assert organisation.step() == []
    assert organisation.store.listing("/") == []
    assert organisation.merge_group().state is JobState.HELD


def test_a_stranger_who_claims_to_be_of_a_task_gets_nothing_registered(organisation):
    marks = 'My.RouterTask = "zmumu-1"\nMy.RouterBatch = "b0"\nMy.RouterJob = "0000"\nexecutable = x\n'
    organisation.pool.as_user("bob").submit(marks, ())
    task = organisation.submit(a_batch(jobs=1), merge=True)
    organisation.reports.add(task.id, "0000", report(task, "0000"))
    organisation.step()
    organisation.glidein("SITE_A", cores=1)
    organisation.pool.negotiate()
    assert [job.owner for job in organisation.pool.finish("SITE_A")] == ["bob"]
    organisation.step()
    assert organisation.store.listing("/") == []
    assert organisation.merge_group().state is JobState.HELD


@pytest.mark.parametrize("text", ["", "{", "[]", json.dumps({"version": 9}), json.dumps({"version": 1, "ended": []})])
def test_a_report_that_is_none_is_given_up_and_the_others_are_read(organisation, text, caplog):
    task = finished(organisation)
    organisation.reports.add(task.id, "0000", text)
    organisation.reports.add(task.id, "0001", report(task, "0001"))
    organisation.step()
    assert organisation.store.listing(task.outputs) == [f"{task.outputs}/hist_0001.root"]
    assert "the report of job 0000 of zmumu-1 is not used" in caplog.text
    caplog.clear()
    organisation.step()
    assert caplog.text == ""


def test_a_report_whose_output_cannot_be_where_it_says_is_given_up(organisation, caplog):
    task = finished(organisation, jobs=1)
    organisation.reports.add(task.id, "0000", report(task, "0000"))
    route = replace(organisation.route(), misplaced=lambda output: f"says that {output.file.lfn} is elsewhere")
    route.step()
    assert organisation.store.listing("/") == []
    assert f"it says that {task.outputs}/hist_0000.root is elsewhere" in caplog.text


def test_a_report_whose_file_contradicts_the_catalogue_is_given_up(organisation, caplog):
    task = finished(organisation, jobs=1)
    organisation.store.register([an_output_of(task, "0000")], "alice", 1.0)
    other = a_file(f"{task.outputs}/hist_0000.root", "SITE_A", size=7)
    organisation.reports.add(task.id, "0000", report(task, "0000", outputs=[other]))
    organisation.step()
    assert "Files never change" in caplog.text


def test_a_report_that_never_comes_is_waited_for_and_then_given_up(organisation, caplog):
    task = finished(organisation, jobs=1)
    organisation.step()
    assert caplog.text == ""
    organisation.clock.pass_time(601)
    organisation.step()
    assert f"the report of job 0000 of {task.id} is not used: it never came back" in caplog.text
    organisation.reports.add(task.id, "0000", report(task, "0000"))
    organisation.step()
    assert organisation.store.listing("/") == []


def test_a_report_that_cannot_be_read_stops_nothing_else(organisation, caplog):
    task = finished(organisation)
    organisation.reports.add(task.id, "0001", report(task, "0001"))
    real = organisation.reports

    class Broken:
        def __init__(self, task):
            self.texts = real(task)

        def report(self, job):
            if job == "0000":
                raise UserError("job_report.json is a link")
            return self.texts.report(job)

    organisation.reports = Broken
    organisation.step()
    assert organisation.store.listing(task.outputs) == [f"{task.outputs}/hist_0001.root"]
    assert "is a link" in caplog.text


def test_jobs_that_fail_at_a_site_send_the_others_away(organisation):
    organisation.submit(a_batch(jobs=30))
    organisation.step()
    organisation.glidein("SITE_A", cores=20)
    organisation.pool.negotiate()
    organisation.pool.fail("SITE_A", exit_code=71)
    move, *_ = organisation.step()
    assert (move.decision.tag, move.decision.sites, move.count) == ("failing", ("SITE_B",), 10)
    assert move.decision.words == (
        "moved from SITE_A,SITE_B to SITE_B: SITE_A failed 100% of its last 20 jobs, over the limit of 50%"
    )


def test_a_black_hole_is_left_though_it_did_well_for_an_hour_and_a_job_tries_it_before_others_go_back(organisation):
    organisation.events = FakeEventLog(organisation.pool)
    organisation.submit(a_batch(jobs=40))
    organisation.step()
    organisation.glidein("SITE_A", cores=40)
    organisation.pool.negotiate()
    organisation.pool.finish("SITE_A")
    for number in range(10):
        organisation.submit(a_batch(jobs=5), name=f"t{number}")
    organisation.step()
    organisation.pool.negotiate()
    lost = 0
    while not any(isinstance(each, Place) and each.decision.tag == "black-hole" for each in organisation.step()):
        lost += organisation.pool.fail("SITE_A", count=5, exit_code=71)
        assert lost <= 20
    idle = [group for group in organisation.groups() if group.state is JobState.IDLE]
    assert idle and not any("SITE_A" in (group.sites or ()) for group in idle)
    organisation.pool.fail("SITE_A", exit_code=71)
    organisation.clock.pass_time(900 * 16)
    organisation.submit(a_batch(jobs=2), name="new")  # the others left the site not long ago
    (probe,) = (each for each in organisation.step() if isinstance(each, Place))
    assert (probe.count, probe.decision.sites, probe.decision.tag) == (2, ("SITE_A",), "probe")


def test_jobs_of_a_site_that_dies_may_run_elsewhere_two_passes_later_and_may_still_run_there(organisation):
    for site in ("SITE_A", "SITE_B"):
        organisation.glidein(site)
    organisation.drain("SITE_B")
    organisation.submit(a_batch(jobs=4))
    organisation.step()
    organisation.store.set_site_state(SiteState("SITE_B", SiteStatus.ONLINE, "", "bob", 2.0))
    organisation.clock.pass_time(30)
    assert organisation.step() == []
    organisation.pool.schedd.glideins[:] = [each for each in organisation.pool.schedd.glideins if each.site != "SITE_A"]
    for _ in range(2):
        organisation.clock.pass_time(30)
        organisation.step()
    assert [group.sites for group in organisation.groups()] == [("SITE_A", "SITE_B")]
    assert [record.tag for record in organisation.history()] == ["placed", "widened"]


def test_a_simulated_day_ends_with_every_job_done_and_no_job_moved_without_need(organisation):
    tasks = [organisation.submit(a_batch(jobs=40), name=f"day-{n}") for n in range(3)]
    organisation.glidein("SITE_A", cores=8)
    organisation.glidein("SITE_B", cores=8)
    route = organisation.route()
    for _ in range(24):
        route.step()
        organisation.pool.negotiate()
        organisation.clock.pass_time(3600)
        for site in ("SITE_A", "SITE_B"):
            organisation.pool.finish(site)
    route.step()
    assert organisation.pool.jobs() == ()
    assert [len(organisation.store.ended(task.id)) for task in tasks] == [40, 40, 40]
    assert route.counts.moves == {}
    assert route.counts.decisions == {("place", "applied"): 3}


def test_a_router_killed_after_it_read_events_counts_them_once(organisation):
    organisation.events = FakeEventLog(organisation.pool)
    organisation.submit()
    organisation.step()
    organisation.glidein("SITE_A")
    organisation.pool.negotiate()
    killed_at(organisation, "jobs")
    organisation.step()
    assert organisation.store.windows(0)["SITE_A"].starts == 8


def test_an_event_log_that_cannot_be_read_or_was_lost_stops_nothing(organisation, caplog):
    organisation.events = EventLog(Path("/nowhere/EventLog"))
    organisation.submit()
    assert len(organisation.step()) == 1
    assert "The event log /nowhere/EventLog cannot be read" in caplog.text
    organisation.events = FakeEventLog(organisation.pool)
    organisation.events.forgotten = 2
    organisation.step()
    assert "outcomes of that time are not known" in caplog.text


def test_the_words_of_a_failing_site_name_the_class_of_most_failures(organisation):
    organisation.events = FakeEventLog(organisation.pool)
    organisation.submit(a_batch(jobs=30))
    organisation.step()
    organisation.glidein("SITE_A", cores=20)
    organisation.pool.negotiate()
    organisation.pool.fail("SITE_A", exit_code=71)
    move, *_ = organisation.step()
    assert move.decision.words.endswith("over the limit of 50%, most often hold-3.71")
