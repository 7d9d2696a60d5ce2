"""What jobs read: looked up rarely; that many inputs are lost at once is not believed at once."""

import pytest

from router.loops.reads import EVERY_S, Reads
from router.model.task import Inputs
from router.testing.build import a_group, inputs_at
from router.testing.clock import FakeClock

GONE = Inputs(1000)
THERE = inputs_at("SITE_A")


class Catalogue:
    """Knows the input of each batch; counts how often it is asked."""

    def __init__(self, **read):
        self.read, self.asked = read, 0

    def inputs(self, batches):
        self.asked += 1
        return {(task, batch): self.read[batch] for task, batch in batches if batch in self.read}

    def dataset_inputs(self, wanted):
        return {}


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def reads(clock):
    return Reads(clock, frozenset())


def groups(count, sites=("SITE_A",)):
    return [a_group(number, batch=f"b{number}", sites=sites) for number in range(count)]


def seen(reads, jobs, catalogue):
    """What each batch reads, by its number."""
    return {source[0]: found for source, found in reads(jobs, catalogue)}


def test_what_is_known_is_not_asked_again_before_its_time(reads, clock):
    catalogue = Catalogue(b0=THERE)
    for _ in range(3):
        assert seen(reads, groups(1), catalogue) == {0: THERE}
    clock.pass_time(EVERY_S)
    reads(groups(1), catalogue)
    assert catalogue.asked == 2


def test_a_few_inputs_that_are_lost_are_lost_at_once(reads, clock):
    catalogue = Catalogue(**{f"b{number}": THERE for number in range(4)})
    reads(groups(4), catalogue)
    catalogue.read["b0"] = GONE
    clock.pass_time(EVERY_S)
    assert seen(reads, groups(4), catalogue)[0] is GONE


def test_many_inputs_that_are_lost_at_once_are_believed_to_be_at_the_third_look(reads, clock):
    catalogue = Catalogue(**{f"b{number}": THERE for number in range(4)})
    reads(groups(4), catalogue)
    catalogue.read |= dict.fromkeys(("b0", "b1"), GONE)
    clock.pass_time(EVERY_S)
    told = [seen(reads, groups(4), catalogue)[0] for _ in range(4)]
    assert told == [THERE, THERE, GONE, GONE]


def test_a_catalogue_that_comes_to_itself_lost_nothing(reads, clock):
    catalogue = Catalogue(b0=THERE)
    reads(groups(1), catalogue)
    for _ in range(3):
        catalogue.read = {"b0": GONE}
        clock.pass_time(EVERY_S)
        assert seen(reads, groups(1), catalogue) == {0: THERE}
        catalogue.read = {"b0": THERE}
        assert seen(reads, groups(1), catalogue) == {0: THERE}


def test_a_router_that_was_just_started_believes_no_more(reads):
    catalogue = Catalogue(b0=GONE)
    assert [seen(reads, groups(1), catalogue) for _ in range(3)] == [{}, {}, {0: GONE}]


def test_jobs_that_were_never_placed_lost_nothing_and_are_asked_about_in_each_pass(reads):
    catalogue = Catalogue(b0=GONE)
    for sites in (None, ()):
        assert seen(reads, groups(1, sites), catalogue) == {0: GONE}
    catalogue.read = {"b0": THERE}
    assert seen(reads, groups(1, None), catalogue) == {0: THERE}
