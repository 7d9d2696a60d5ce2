"""Running a loop as a daemon: every so often, until told to stop."""

import logging
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import NoReturn

from router.errors import TemporaryError
from router.loops.watchdog import notify
from router.redact import redacted

log = logging.getLogger(__name__)


class SystemClock:
    """The machine's clock."""

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()


class Stopped(BaseException):
    """SIGTERM or SIGINT came. Not an Exception, so that no handler on the way takes it for a failure."""


@dataclass
class Health:
    """How the loop fares, for the metrics."""

    passes: int = 0
    failed: int = 0
    last_beat: float = 0.0
    """When a pass last ended, well or not; seconds since the epoch."""
    last_success: float = 0.0
    """Seconds since the epoch."""
    last_duration_s: float = 0.0
    last_error: str = ""


@contextmanager
def until_stopped() -> Iterator[None]:
    """Leave the block when SIGTERM or SIGINT comes.

    Being stopped in the midst of a pass is as good as being killed: every pass may be cut anywhere.
    """
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    try:
        yield
    except Stopped:
        notify("STOPPING=1")
        log.info("told to stop")


def run(step: Callable[[], object], interval_s: float, health: Health) -> NoReturn:
    """Do `step` every `interval_s` seconds.

    A pass that fails for now is lost, and the next starts from what it then finds.
    """
    notify("READY=1")
    while True:
        started = time.monotonic()
        _once(step, health)
        health.last_duration_s, health.last_beat = time.monotonic() - started, time.time()
        notify("WATCHDOG=1")
        time.sleep(max(0.0, interval_s - health.last_duration_s))


def _once(step: Callable[[], object], health: Health) -> None:
    health.passes += 1
    try:
        step()
    except TemporaryError as error:
        health.failed += 1
        health.last_error = redacted(str(error))
        log.warning("this pass is lost: %s", error)
    else:
        health.last_success = time.time()
        health.last_error = ""


def _stop(_: int, __: FrameType | None) -> None:
    raise Stopped
