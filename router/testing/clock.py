"""A clock that stands still until it is told otherwise."""

from dataclasses import dataclass

NOON = 1_700_000_000.0
"""The instant at which tests begin, seconds since the epoch."""


@dataclass
class FakeClock:
    """Tells the time it was given."""

    at: float = NOON
    """Seconds since the epoch."""

    def now(self) -> float:
        """Seconds since the epoch."""
        return self.at

    def pass_time(self, seconds: float) -> None:
        """Let `seconds` go by."""
        self.at += seconds
