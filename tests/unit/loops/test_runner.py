"""Running a loop: passes that fail for now are lost, anything else ends it, SIGTERM ends it at once."""

import os
import signal

import pytest

from router.errors import PoolUnreachable, RouterError
from router.loops.runner import Health, SystemClock, run, until_stopped


class Enough(Exception):
    """The test has seen what it wanted."""


@pytest.fixture(autouse=True)
def handlers():
    before = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)}
    yield
    for each, handler in before.items():
        signal.signal(each, handler)


def outcomes(*errors):
    """A step that raises these, one a pass."""
    waiting = iter(errors)

    def step():
        if error := next(waiting):
            raise error

    return step


def test_a_pass_that_fails_for_now_is_lost_and_the_next_is_done(caplog):
    health = Health()
    with pytest.raises(Enough):
        run(outcomes(None, PoolUnreachable("down"), Enough()), 0.0, health)
    assert (health.passes, health.failed, health.last_error) == (3, 1, "down")
    assert health.last_success > 0
    assert "this pass is lost: down" in caplog.text


def test_a_pass_that_succeeds_takes_the_last_error_away():
    health = Health()
    with pytest.raises(Enough):
        run(outcomes(PoolUnreachable("down"), None, Enough()), 0.0, health)
    assert health.last_error == ""


def test_a_failure_that_a_later_try_cannot_cure_ends_the_loop():
    with pytest.raises(RouterError):
        run(outcomes(RouterError("the database has another version")), 0.0, Health())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_loop_in_the_midst_of_a_pass(number, caplog):
    caplog.set_level("INFO")
    health = Health()

    def step():
        os.kill(os.getpid(), number)
        raise Enough

    with until_stopped():
        run(step, 3600.0, health)
    assert "told to stop" in caplog.text
    assert health.passes == 1


def test_the_clock_goes_forward():
    clock = SystemClock()
    assert clock.now() <= clock.now()
