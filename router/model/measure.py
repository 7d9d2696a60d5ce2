"""How fast a program is, and how much it writes: sums over jobs that ended well."""

from collections.abc import Iterable
from dataclasses import dataclass

from router.model.report import JobReport


@dataclass(frozen=True, slots=True)
class Measured:
    """What some jobs of one program took together."""

    jobs: int = 0
    events: int = 0
    program_s: float = 0.0
    """Seconds that the program itself ran."""
    wall_s: float = 0.0
    """Seconds from the wrapper's start to its end: with fetching and storing."""
    written: int = 0
    """Bytes of all outputs."""

    @property
    def events_per_s(self) -> float:
        """Of the program alone; 0 where nothing is known."""
        return self.events / self.program_s if self.program_s > 0 else 0.0

    @property
    def bytes_per_event(self) -> float:
        """Output that an event makes."""
        return self.written / self.events if self.events else 0.0

    @property
    def around_s(self) -> float:
        """Seconds that a job takes besides its program."""
        return max(self.wall_s - self.program_s, 0.0) / self.jobs if self.jobs else 0.0


def measured(reports: Iterable[JobReport]) -> Measured:
    """The sums over the reports of jobs that ended well."""
    good = [each for each in reports if not each.exit_code]
    return Measured(
        jobs=len(good),
        events=sum(each.events for each in good),
        program_s=sum(each.program_s for each in good),
        wall_s=sum(each.wall_s for each in good),
        written=sum(located.file.size for each in good for located in each.outputs),
    )
