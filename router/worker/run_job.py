"""Runs one job on a worker node: stage in, run the payload, stage out, report.

Called as `run_job.pyz PART.json JOB` in the job's sandbox. It goes with every job as one file, a zip application of
this module and those it imports (router/packages/zipapps.py); all need the standard library of Python 3.9 and nothing
else. Whatever happens, it leaves `job_report.json` behind and ends with one of the exit codes of `CAUSES`.
"""

from __future__ import annotations

import os
import socket
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from router.worker.wrapper.bundle import check_bundle, unpack
from router.worker.wrapper.description import read_job
from router.worker.wrapper.exit_codes import CAUSES, Evicted, Failure
from router.worker.wrapper.parts import merge_inputs
from router.worker.wrapper.payload import Eviction, run_payload
from router.worker.wrapper.report import REPORT, code_digests, node_facts, write_report
from router.worker.wrapper.stage_in import stage_in_all
from router.worker.wrapper.stage_out import check_outputs, stage_out_all
from router.worker.wrapper.storage_rules import read_storage
from router.worker.wrapper.token import take


def perform(arguments: Sequence[str], eviction: Eviction, report: dict[str, Any]) -> None:
    """Do the job, filling the report on the way; Failure or Evicted when it does not end well."""
    if len(arguments) != 2:
        raise Failure("bad_description", "usage: run_job.pyz PART.json JOB")
    eviction.grace_s = float(os.environ.get("GLIDEROUTE_GRACE_S", eviction.grace_s))
    job = read_job(*arguments)
    take(job.token)
    report.update(task=job.task, batch=job.batch, job=job.job, parameters=job.parameters)
    report.update(code=code_digests(arguments[0]), node=node_facts())
    inputs = merge_inputs(job, job.merge) if job.merge else job.inputs
    storage = read_storage() if job.outputs else []
    if job.folder:
        check_bundle(Path(f"{job.folder}.tar.gz"))
        unpack(Path(f"{job.folder}.tar.gz"), Path(job.folder))
    run_payload(job, stage_in_all(inputs, job, report["site"], report), eviction, report)
    check_outputs(job)
    report["outputs"] = stage_out_all(job, report["site"], storage)
    report["events"] = sum(one.events for one in inputs)


def attempt(arguments: Sequence[str], report: dict[str, Any]) -> Failure | None:
    """Do the job, whatever comes; how it failed, if it did."""
    eviction = Eviction()
    outcome: Failure | None = None
    try:
        try:
            eviction.listen()
            perform(arguments, eviction, report)
        except Failure as failure:
            outcome = failure
        except Exception as bug:
            *_, (frame, line) = traceback.walk_tb(bug.__traceback__)
            where = f"line {line} of {Path(frame.f_code.co_filename).name}"
            outcome = Failure("wrapper_error", f"the job wrapper failed, not your program: {bug!r} in {where}")
        eviction.ignore()
    except Evicted:
        eviction.ignore()
        outcome = Failure("evicted", "the job was told to stop (SIGTERM) before it had ended")
    return outcome


def main(arguments: Sequence[str]) -> int:
    """Do the job and report; the exit code is 0 or one of CAUSES."""
    report: dict[str, Any] = {"version": 1, "task": None, "batch": None, "job": None}
    site = os.environ.get("GLIDEIN_Site", "")  # noqa: SIM112 (GlideinWMS spells it so)
    report.update(site=site, host=socket.gethostname(), started=round(time.time(), 3))
    report.update(payload=None, events=0, code={}, node={}, inputs=[], outputs=[])
    failure = attempt(arguments, report)
    code = failure.code if failure else 0
    message = str(failure or "the job ended well")
    report.update(
        ended=round(time.time(), 3), exit_code=code, cause=failure.cause if failure else None, message=message
    )
    if failure:
        sys.stderr.write(f"glideroute: {message}\n")
    try:
        write_report(report)
    except OSError as why:
        sys.stderr.write(f"glideroute: could not write {REPORT}: {why}\n")
        return code or CAUSES["wrapper_error"][0]
    return code
