"""What a task will take before any of it runs: jobs, bytes, hours."""

from collections.abc import Sequence

from router.model.answer import Estimate
from router.model.measure import Measured
from router.model.payload import Requests
from router.model.task import Batch


def appraise(batches: Sequence[Batch], requests: Requests, past: Measured) -> Estimate:
    """From what the same program took in `past`; where it never ran, the most that the request allows."""
    files = {p.located.file.lfn: p.located.file.size for b in batches for c in b.chunks for p in c.pieces}
    seconds = [job_s(sum(piece.events for piece in c.pieces), requests, past) for b in batches for c in b.chunks]
    events = sum(piece.events for b in batches for c in b.chunks for piece in c.pieces)
    written = (
        events * past.bytes_per_event if past.events and events else len(seconds) * past.written / (past.jobs or 1)
    )
    return Estimate(
        jobs=len(seconds),
        input_bytes=sum(files.values()),
        output_bytes=round(written) if past.jobs else None,
        hours=sum(seconds) / 3600,
        longest_h=max(seconds, default=0.0) / 3600,
        core_hours=sum(seconds) * requests.cpus / 3600,
        measured_jobs=past.jobs,
    )


def job_s(events: int, requests: Requests, past: Measured) -> float:
    """Seconds that a job with so many events takes; 0 events: nobody knows how many."""
    if not past.jobs:
        return float(requests.walltime_s)
    if events and past.events_per_s:
        return past.around_s + events / past.events_per_s
    return past.wall_s / past.jobs
