"""Which outputs are copied now, when a copy that failed is tried again, and which outputs move at all."""

from dataclasses import replace
from typing import Any

import pytest

from router.decide.stageout import after, plan, to_move
from router.model.policy import StageOutPolicy
from router.model.task import MERGE_BATCH
from router.model.transfer import (
    Clear,
    Copy,
    Destination,
    Fault,
    GiveUp,
    Look,
    Recall,
    Send,
    Service,
    StageOutWorld,
    TransferCause,
    TransferState,
)
from router.testing.build import a_file, a_payload, a_task, a_transfer, an_ended_job, an_output
from router.testing.clock import NOON

POLICY = StageOutPolicy()
ELEMENTS = frozenset({"SITE_A_DISK", "SITE_B_DISK"})
DOWN = Fault(TransferCause.DOWN, "connection refused")


def a_world(**changes: Any) -> StageOutWorld:
    return replace(StageOutWorld(NOON, elements=ELEMENTS), **changes)


def destined(*outputs: Any) -> Any:
    return a_task(payload=a_payload(destination="SITE_B_DISK", outputs=outputs))


def test_what_is_due_is_copied_and_what_arrived_is_cleared():
    waiting, arrived = a_transfer("/user/alice/t/a"), a_transfer("/user/alice/t/b", state=TransferState.ARRIVED)
    assert list(plan(a_world(waiting=(waiting,), arrived=(arrived,)), POLICY)) == [Clear(arrived), Copy(waiting)]


def test_an_output_for_a_storage_element_that_nobody_declares_is_given_up_with_its_name():
    [action] = plan(a_world(waiting=(a_transfer(destination="GONE_DISK"),)), POLICY)
    assert isinstance(action, GiveUp)
    assert "GONE_DISK" in action.fault.words


@pytest.mark.parametrize(("streak", "age_s", "copies"), [(19, 0, 10), (20, 59, 0), (20, 60, 2), (500, 3600, 2)])
def test_a_destination_where_all_fails_is_only_probed(streak: int, age_s: float, copies: int):
    known = {"SITE_B_DISK": Destination("SITE_B_DISK", streak, "quota", "full", NOON - age_s)}
    waiting = tuple(a_transfer(f"/user/alice/t/{number}") for number in range(10))
    assert len(list(plan(a_world(waiting=waiting, destinations=known), POLICY))) == copies


def test_one_bad_destination_keeps_nothing_from_another():
    known = {"SITE_B_DISK": Destination("SITE_B_DISK", 99, "quota", "full", NOON)}
    good, bad = a_transfer("/user/alice/t/a", source="SITE_B_DISK", destination="SITE_A_DISK"), a_transfer()
    assert list(plan(a_world(waiting=(bad, good), destinations=known), POLICY)) == [Copy(good)]


def test_each_further_copy_comes_about_twice_as_late_up_to_a_limit():
    tried = [after(a_transfer(tries=tries), DOWN, NOON, POLICY).due - NOON for tries in range(15)]
    assert all(60 * 2**n * 0.75 <= delay <= 60 * 2**n * 1.25 for n, delay in enumerate(tried[:7]))
    assert max(tried) <= 14_400 * 1.25


def test_what_failed_together_is_not_tried_together():
    due = {after(a_transfer(f"/user/alice/t/{number}"), DOWN, NOON, POLICY).due for number in range(50)}
    assert len(due) == 50


@pytest.mark.parametrize(
    ("cause", "most"),
    [
        (TransferCause.DOWN, 20),
        (TransferCause.QUOTA, 20),
        (TransferCause.PERMISSION, 4),
        (TransferCause.SOURCE_MISSING, 4),
        (TransferCause.NOT_DECLARED, 0),
    ],
)
def test_the_number_of_copies_is_limited_by_what_they_fail_of(cause: TransferCause, most: int):
    last, over = (after(a_transfer(tries=most - 1 + n), Fault(cause, "no"), NOON, POLICY) for n in (0, 1))
    assert over.state is TransferState.FAILED
    assert (over.cause, over.words) == (cause, "no")
    assert most == 0 or last.state is TransferState.WAITING


def test_outputs_of_a_task_without_a_destination_stay():
    task = a_task(payload=a_payload(outputs=(an_output("hist.root"),)))
    assert to_move(task, an_ended_job(), [a_file(task.output("hist.root", "0000"), "SITE_A")]) == ()


def test_parts_stay_where_the_merge_job_reads_them_and_what_it_made_moves():
    task = destined(an_output("hist.root", merge=True), an_output("log.txt"))
    part, log = (a_file(task.output(name, "0000"), "SITE_A") for name in ("hist.root", "log.txt"))
    merged = a_file(task.output("hist.root", "merged"), "SITE_A")
    assert [each.file for each in to_move(task, an_ended_job(), [part, log])] == [log.file]
    [moved] = to_move(task, an_ended_job(batch=MERGE_BATCH, job="merge"), [merged])
    assert (moved.source, moved.destination, moved.owner) == ("SITE_A_DISK", "SITE_B_DISK", "alice")


def test_an_output_that_was_made_at_its_destination_is_there_already():
    task = destined(an_output("hist.root"))
    assert to_move(task, an_ended_job(), [a_file(task.output("hist.root", "0000"), "SITE_B")]) == ()


SERVED = Service(destinations=frozenset({"SITE_B_DISK"}), sources=ELEMENTS)


def some(count: int, **changes: Any) -> tuple[Any, ...]:
    return tuple(a_transfer(f"/user/alice/t/{number}", **changes) for number in range(count))


def test_a_service_gets_outputs_of_one_link_together_and_the_agent_copies_the_rest():
    waiting = (*some(5), a_transfer("/user/alice/t/x", source="SITE_B_DISK", destination="SITE_A_DISK"))
    copied, *sent = plan(a_world(waiting=waiting, service=SERVED), replace(POLICY, bulk=2))
    assert isinstance(copied, Copy)
    assert [len(each.transfers) for each in sent if isinstance(each, Send)] == [2, 2, 1]
    assert len({each.bulk for each in sent if isinstance(each, Send)}) == 3


def test_what_the_service_cannot_read_the_agent_copies():
    service = replace(SERVED, sources=frozenset({"SITE_B_DISK"}))
    assert list(plan(a_world(waiting=some(1), service=service), POLICY)) == [Copy(*some(1))]


def test_the_same_copies_have_the_same_name_and_the_next_ones_another():
    def name(**changes: Any) -> str:
        [sent] = plan(a_world(waiting=some(3, **changes), service=SERVED), POLICY)
        return sent.bulk if isinstance(sent, Send) else ""

    assert name() == name()
    assert name() != name(epoch=1)


@pytest.mark.parametrize(("has", "gets"), [(0, 5), (7, 3), (10, 0), (11, 0)])
def test_a_service_gets_no_more_at_one_time_than_it_may_have(has: int, gets: int):
    sent = some(has, state=TransferState.SENT, bulk="b", due=NOON)
    world = a_world(waiting=some(5), service=SERVED, sent=sent, looked=True)
    given = [each for each in plan(world, replace(POLICY, most_sent=10)) if isinstance(each, Send)]
    assert sum(len(each.transfers) for each in given) == gets


def test_a_service_is_asked_once_a_pass_for_what_it_has_and_told_to_give_up_what_is_late():
    early, late = some(2, state=TransferState.SENT, bulk="a", due=NOON), some(1, bulk="b", due=NOON - 86_400)
    world = a_world(service=SERVED, sent=(*early, *late))
    looked, recalled = plan(world, POLICY)
    assert looked == Look("a", early)
    assert isinstance(recalled, Recall)
    assert recalled.fault.cause is TransferCause.TIME_OUT
    assert list(plan(replace(world, looked=True), POLICY)) == []


def test_without_a_service_what_one_has_is_taken_back():
    [recalled] = plan(a_world(sent=some(2, state=TransferState.SENT, bulk="a", due=NOON)), POLICY)
    assert isinstance(recalled, Recall)
    assert after(recalled.transfers[0], recalled.fault, NOON, POLICY).state is TransferState.WAITING
