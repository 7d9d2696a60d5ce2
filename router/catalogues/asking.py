"""Calls of foreign code with a deadline: one that hangs is given up, and no further one is begun until it ends."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from router.errors import RouterError, TemporaryError

T = TypeVar("T")
WORDS = 500
"""Characters of a foreign error that are passed on."""


class Question(Generic[T]):
    """One call that is under way in a thread of its own."""

    def __init__(self, call: Callable[[], T], who: str) -> None:
        """Begin the call; `who` is asked, for messages."""
        self._who = who
        self.end = threading.Event()
        self._value: T | None = None
        self._error: BaseException | None = None
        self._call = call
        # A daemon, as an answer that never comes must not keep a command from ending.
        threading.Thread(target=self._run, name=f"ask {who}", daemon=True).start()

    def _run(self) -> None:
        try:
            self._value = self._call()
        except BaseException as error:
            self._error = error
        finally:
            self.end.set()

    @property
    def ended(self) -> bool:
        """Whether there is an answer, or an error."""
        return self.end.is_set()

    def answer(self, deadline_s: float) -> T:
        """What the call returns, waited for so many seconds. Raises TemporaryError past them, else RouterError."""
        if not self.end.wait(deadline_s):
            raise TemporaryError(f"{self._who} has not answered for {deadline_s:g} s.")
        if isinstance(self._error, RouterError):
            raise self._error
        if self._error is not None:
            told = f"{type(self._error).__name__}: {self._error}"[:WORDS]
            words = "".join(each if each.isprintable() else " " for each in told)
            raise RouterError(f"{self._who} cannot be asked: its plug-in failed with {words}")
        return self._value  # type: ignore[return-value]  # the call returned it


class Deadline:
    """Asks one service, one question at a time."""

    def __init__(self, who: str, seconds: float) -> None:
        """Name the service, and say how many seconds an answer may take."""
        self.who, self.seconds = who, seconds
        self._last: threading.Event | None = None

    def ask(self, call: Callable[[], T]) -> T:
        """What `call` returns. Raises TemporaryError past the deadline, and while an earlier call still hangs."""
        return self.begin(call).answer(self.seconds)

    def begin(self, call: Callable[[], T]) -> Question[T]:
        """Begin `call`, to be asked for later. Raises TemporaryError while an earlier call still hangs."""
        if self._last is not None and not self._last.is_set():
            raise TemporaryError(f"{self.who} still owes the answer to an earlier question.")
        question = Question(call, self.who)
        self._last = question.end
        return question
