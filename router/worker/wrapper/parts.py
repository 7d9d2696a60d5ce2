"""The parts that a merge job joins, as the reports of the jobs that made them tell."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from router.worker.wrapper.description import Input, Job, Merge, file_name, read_input
from router.worker.wrapper.exit_codes import Failure

REPORTS = "reports"
PARTIAL = re.compile(r"partial\d*-\d+")
"""Batches that merge what was there when somebody asked."""


def merge_inputs(job: Job, merge: Merge) -> tuple[Input, ...]:
    """The parts to merge, ordered by job, from the reports that came with the job; Failure unless all are there."""
    parts: dict[str, Input] = {}
    for path in sorted(Path(REPORTS).glob("*.json")):
        try:
            report = json.loads(path.read_bytes())
            if report["batch"] == job.batch or PARTIAL.fullmatch(report["batch"]):
                continue  # of another merge job, or of this one's earlier try; or it joins what is a part already
            if merge.jobs is not None and report["job"] not in merge.jobs:
                continue
            part = read_part(job, merge, report)
        except (OSError, KeyError, TypeError, ValueError, AttributeError) as why:
            raise Failure("stage_in_failed", f"{path} gives no part to merge: {why}") from None
        if report["job"] in parts:
            raise Failure("stage_in_failed", f"two reports speak for job {report['job']}; its part would count twice")
        parts[report["job"]] = part
    if len(parts) != merge.expected_parts:
        found = f"{len(parts)} parts of {merge.parts_of} are there, {merge.expected_parts} are expected"
        raise Failure("stage_in_failed", f"{found}; merging them would lose events")
    return tuple(parts[name] for name in sorted(parts, key=lambda name: (len(name), name)))


def read_part(job: Job, merge: Merge, report: Mapping[str, Any]) -> Input:
    """The part that one report promises; KeyError, TypeError or ValueError when it promises none."""
    if report["task"] != job.task:
        raise ValueError(f"it belongs to task {report['task']}, not {job.task}")
    file_name(report["job"])
    if report["exit_code"] != 0:
        raise ValueError(f"its job ended with exit code {report['exit_code']}")
    outputs = [output for output in report["outputs"] if output["name"] == merge.parts_of]
    if len(outputs) != 1:
        raise ValueError(f"it lists {len(outputs)} outputs named {merge.parts_of}, not 1")
    return read_input({**outputs[0], "first_event": 0, "events": report["events"], "replicas": outputs})
