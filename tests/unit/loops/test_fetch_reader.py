"""Reading what jobs told of copies: each second once, and never stuck."""

import pytest

from router.errors import PoolUnreachable
from router.loops.fetches import FetchReader
from router.model.fetch import Fetch, Fetches, Served
from router.store.store import Store
from router.testing.clock import NOON, FakeClock


class FakeEpochs:
    """A history of tries."""

    def __init__(self):
        self.tried, self.asked, self.down = [], [], False

    def tries(self, after, upto):
        self.asked.append((after, upto))
        if self.down:
            raise PoolUnreachable("the schedd does not answer")
        return Fetches(tuple(each for each in self.tried if after < each.at <= upto))

    def close(self):
        pass


@pytest.fixture
def store(tmp_path):
    made = Store("sqlite://")
    yield made
    made.close()


@pytest.fixture
def epochs():
    return FakeEpochs()


@pytest.fixture
def reader(store, epochs):
    return FetchReader(epochs, store, frozenset({"A"}), FakeClock())


def a_try(at: float, cause: str = "missing", se: str = "A", number: int = 0) -> Fetch:
    return Fetch(7, 0, 1, number, "alice", int(at), "/x", se, cause, "it is so" if cause else "")


def test_each_second_is_read_once_over_restarts(reader, epochs, store):
    epochs.tried = [a_try(NOON - 10), a_try(NOON - 2, number=1)]
    reader.step()
    again = FetchReader(epochs, store, reader.elements, reader.clock)
    reader.clock.pass_time(60)
    again.step()
    assert epochs.asked == [(int(NOON) - 3605, int(NOON) - 5), (int(NOON) - 5, int(NOON) + 55)]
    assert store.served(NOON - 3600) == [Served("A", "alice", 0, 2)]
    assert [each.number for each in store.failed_fetches(7)] == [1, 0]


def test_nothing_is_read_before_it_is_due(reader, epochs):
    reader.step()
    reader.clock.pass_time(59)
    reader.step()
    assert len(epochs.asked) == 1


def test_what_cannot_be_read_is_left_behind(reader, epochs):
    epochs.down = True
    reader.step()
    epochs.down = False
    reader.clock.pass_time(60)
    reader.step()
    assert [after for after, _ in epochs.asked] == [int(NOON) - 3605, int(NOON) - 5]


def test_a_clock_that_was_set_back_is_followed(reader, epochs):
    reader.step()
    reader.clock.pass_time(-7200)
    reader.step()
    after, upto = epochs.asked[-1]
    assert after == upto == int(NOON) - 7205


def test_tries_are_counted_by_declared_storage_element_and_cause(reader, epochs):
    epochs.tried = [a_try(NOON - 9), a_try(NOON - 9, "", number=1), a_try(NOON - 9, "down", "MINE", number=2)]
    reader.step()
    assert reader.counts == {("A", "missing"): 1, ("A", ""): 1, ("undeclared", "down"): 1}


def test_what_is_a_day_old_is_forgotten(reader, epochs, store):
    epochs.tried = [a_try(NOON - 9)]
    reader.step()
    reader.clock.pass_time(2 * 86_400)
    reader.step()
    assert store.served(0) == []
    assert store.failed_fetches(7) == []
