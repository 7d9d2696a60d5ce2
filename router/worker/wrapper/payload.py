"""Running the payload, with an environment free of the pilot's credentials, until it ends or has to."""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import select
import signal
import stat
import subprocess
import time
from pathlib import Path
from typing import Any

from router.worker.wrapper.description import Job
from router.worker.wrapper.exit_codes import Evicted, Failure
from router.worker.wrapper.report import elapsed
from router.worker.wrapper.token import VARIABLE

NOT_STARTED = (126, 127)
"""What a shell ends with when a command cannot be executed, or is not found (POSIX, Shell Command Language 2.8.2)."""
KEEP = "SCRATCH_DIR|SLOT|JOB_AD|MACHINE_AD|JOB_IWD"
SECRETS = re.compile(rf"_CONDOR_(?!({KEEP})$).*|BEARER_TOKEN.*|X509_USER_.*|CONDOR_CONFIG")


def wait_for_end(payload: int) -> None:
    """Return when a child has ended, which is left to be reaped.

    A signal that came just before a blocking waitid would be heard by Python only after it. One that comes before a
    select has written to the pipe by then.
    """
    heard, told = os.pipe()
    for end in (heard, told):
        os.set_blocking(end, False)
    before = signal.set_wakeup_fd(told, warn_on_full_buffer=False)
    of_children = signal.signal(signal.SIGCHLD, lambda *_: None)
    try:
        while os.waitid(os.P_PID, payload, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
            select.select([heard], [], [])
            os.read(heard, 4096)
    finally:
        signal.set_wakeup_fd(before)
        signal.signal(signal.SIGCHLD, of_children)
        os.close(heard)
        os.close(told)


class Eviction:
    """What SIGTERM does: it ends the wrapper's own work at once, and a payload's with a grace."""

    def __init__(self) -> None:
        self.grace_s = 5.0  # less than the 10 s a glidein leaves, so that the report is written in time
        self.asked = False
        self.shielded = False
        self.payload: int | None = None

    def listen(self) -> None:
        """From now on SIGTERM and SIGINT come here."""
        signal.signal(signal.SIGTERM, self.heard)
        signal.signal(signal.SIGINT, self.heard)

    def ignore(self) -> None:
        """From now on nothing can change how the job ended, not even while the interpreter shuts down."""
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def heard(self, *_: object) -> None:
        """Stop once; what is heard later changes nothing."""
        if self.asked:
            return
        self.asked = True
        if not self.shielded:
            raise Evicted
        self.end_payload()

    def end_payload(self) -> None:
        """Ask the payload to stop, and kill it when its grace is over."""
        self.signal_payload(signal.SIGTERM)
        signal.signal(signal.SIGALRM, lambda *_: self.signal_payload(signal.SIGKILL))
        signal.setitimer(signal.ITIMER_REAL, self.grace_s)

    def signal_payload(self, number: int) -> None:
        """Send a signal to the payload and all it started."""
        if self.payload is not None:
            with contextlib.suppress(OSError):
                os.killpg(self.payload, number)

    def wait_for(self, payload: int) -> tuple[int, resource.struct_rusage]:
        """Wait for the payload, leaving nothing of it behind; its exit code (signals negative) and what it used."""
        self.payload = payload
        if self.asked:
            self.end_payload()
        wait_for_end(payload)
        self.signal_payload(signal.SIGKILL)
        _, status, usage = os.wait4(payload, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        self.payload = None
        return os.waitstatus_to_exitcode(status), usage


def payload_environment(job: Job, listing: Path) -> dict[bytes, bytes]:
    """This environment without the pilot's credentials, then the job's own, then what we promise."""
    environment = {n: v for n, v in os.environb.items() if not SECRETS.fullmatch(os.fsdecode(n))}
    if job.token and VARIABLE in os.environ:  # its own
        environment[VARIABLE.encode()] = os.environb[VARIABLE.encode()]
    ours = {"GLIDEROUTE_INPUTS": str(listing), "GLIDEROUTE_TASK": job.task, "GLIDEROUTE_JOB": job.job}
    if job.parameters:
        ours["GLIDEROUTE_PARAMETERS"] = json.dumps(job.parameters)
    for name, value in {**job.environment, **ours}.items():
        environment[name.encode()] = value.encode()
    return environment


def run_payload(job: Job, listing: Path, eviction: Eviction, report: dict[str, Any]) -> None:
    """Run the payload to its end; Failure when it ends badly, Evicted when it was told to stop."""
    program = Path.cwd() / job.executable
    started = time.monotonic()
    eviction.shielded = True
    try:
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        # Bytes, so that arguments arrive as they were written whatever the node's locale is.
        command = [os.fsencode(program), *(argument.encode() for argument in job.arguments)]
        environment = payload_environment(job, listing)
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, env=environment, start_new_session=True)
    except OSError as why:
        needs = "a script needs a first line such as #!/usr/bin/env python3, and that program on the node"
        raise Failure("payload_not_started", f"{job.executable} could not be started: {why}; {needs}") from None
    process.returncode, usage = eviction.wait_for(process.pid)
    code = process.returncode
    report["payload"] = {
        "exit_code": code if code >= 0 else None,
        "signal": -code if code < 0 else None,
        "seconds": elapsed(started),
        "max_rss_kb": usage.ru_maxrss,
    }
    eviction.shielded = False
    if eviction.asked:
        raise Evicted
    if code:
        raise ended_badly(job, code, usage.ru_maxrss)


def ended_badly(job: Job, code: int, max_rss_kb: int) -> Failure:
    """Why a payload ended with this exit code (signals negative), as far as the code and its memory tell."""
    # A shell passes on the death of its last command as 128 and the signal's number.
    signalled = -code if code < 0 else code - 128 if 128 < code <= 128 + signal.SIGRTMAX else 0
    how = f"ended with exit code {code}" if code > 0 else f"was killed by signal {-code}"
    asked_mb = memory_asked_mb()
    used = f"it used {max_rss_kb // 1024} MB of memory and asked for {asked_mb}" if asked_mb else ""
    more = "the job's output and error files say more"
    if signalled == signal.SIGKILL or (asked_mb and max_rss_kb > asked_mb * 1024):
        return Failure("payload_memory", "; ".join(part for part in (f"{job.executable} {how}", used, more) if part))
    if signalled:
        return Failure("payload_killed", f"{job.executable} {how}; {more}", signalled)
    if code in NOT_STARTED:
        return Failure("payload_not_started", f"{job.executable} {how}: a command was not found or not run; {more}")
    return Failure("merge_failed" if job.merge else "payload_failed", f"{job.executable} {how}; {more}")


def memory_asked_mb() -> int:
    """The job's RequestMemory; 0 where nobody says."""
    try:
        ad = Path(os.environ.get("_CONDOR_JOB_AD", "")).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 0
    found = re.search(r"^RequestMemory = (\d+)$", ad, re.MULTILINE)
    return int(found.group(1)) if found else 0
