"""The catalogue of failures: every code that a job can end, be held or be vacated with, and what it means.

The numbers of HTCondor are those of condor_holdcodes.h (25.14.1); those of our wrapper are in
router/worker/wrapper/exit_codes.py.
docs/failures.md is printed from here.
"""

from router.model.cause import Cause, Cure, Fault
from router.model.job import ASKED_ELSEWHERE, BY_HAND, FAILED, SUBMITTED_HELD, JobGroup

SIGNAL_BASE = 128
"""What a shell, and our wrapper, add to the number of the signal that killed a program."""

MENDED = "When that is mended: `glideroute retry`."
PROGRAM = "Read the job's output and error files (`glideroute logs`), mend the program, submit it again."
REPORT_IT = "Report it with the job's report."
LET_RUN = "`glideroute retry` lets it run again."
NOTHING = "Nothing."

EXIT_CODES: dict[int, Cause] = {
    70: Cause(
        "bad-description",
        "The job description is not one this wrapper can run",
        Fault.SYSTEM,
        Cure.NONE,
        "Submit again with the glideroute that runs the pool; if it is the same, report it.",
    ),
    71: Cause(
        "stage-in-failed",
        "An input could not be fetched from any replica, or a part to merge is missing",
        Fault.DATA,
        Cure.ELSEWHERE,
        f"The message names each replica and its fault. {MENDED}",
    ),
    72: Cause("payload-failed", "The payload ended with an error", Fault.USER, Cure.NONE, PROGRAM),
    73: Cause(
        "output-missing",
        "The payload ended well, but a promised output is missing or is no regular file",
        Fault.USER,
        Cure.NONE,
        "Make the program write every name under `outputs:` in its working directory, or promise less.",
    ),
    74: Cause(
        "stage-out-failed",
        "An output could not be written to the site's storage element",
        Fault.SITE,
        Cure.ELSEWHERE,
        f"The message names each volume and its fault. {MENDED}",
    ),
    75: Cause(
        "evicted",
        "The job was told to stop (SIGTERM) before it had ended",
        Fault.SITE,
        Cure.AGAIN,
        LET_RUN,
    ),
    76: Cause("wrapper-error", "The wrapper itself failed", Fault.SYSTEM, Cure.ELSEWHERE, REPORT_IT, tries=1),
    77: Cause(
        "merge-failed",
        "The parts were all there, but could not be merged",
        Fault.USER,
        Cure.NONE,
        "The error file names the object that cannot be merged; the parts are kept.",
    ),
    78: Cause(
        "payload-memory",
        "The payload failed having used more memory than it asked for, or was killed by SIGKILL",
        Fault.USER,
        Cure.MEMORY,
        "Make the program use less, or ask for more: `requests.memory`.",
    ),
    79: Cause(
        "payload-not-started",
        "The payload, or a program that it calls, could not be started on this node",
        Fault.SITE,
        Cure.ELSEWHERE,
        "If it fails so at every site, the program's first line or a command in it is wrong.",
        tries=1,
    ),
}
"""What our wrapper ends with; the subcode of its job's hold."""

SIGNALS: dict[int, Cause] = {
    4: Cause(
        "illegal-instruction",
        "The program was killed by SIGILL: it is built for newer processors than the node's",
        Fault.SITE,
        Cure.ELSEWHERE,
        "Build the program for an older instruction set, or allow only sites that have a newer one.",
    ),
    7: Cause(
        "bus-error",
        "The program was killed by SIGBUS: a file it had mapped could not be read, or its disk was full",
        Fault.SITE,
        Cure.ELSEWHERE,
        PROGRAM,
        tries=1,
    ),
    9: Cause(
        "killed",
        "The program was killed by SIGKILL: mostly by the node, for its memory",
        Fault.USER,
        Cure.MEMORY,
        "Make the program use less memory, or ask for more: `requests.memory`.",
    ),
    15: Cause("terminated", "The program was told to stop (SIGTERM) from outside", Fault.SITE, Cure.AGAIN, LET_RUN),
    24: Cause(
        "cpu-limit",
        "The program was killed by SIGXCPU: the node limits processor time",
        Fault.SITE,
        Cure.ELSEWHERE,
        "Split the task into shorter jobs.",
        tries=1,
    ),
}
"""Signals whose cause need not be the program; any other is CRASHED."""

CRASHED = Cause("crashed", "The program was killed by a signal of its own making", Fault.USER, Cure.NONE, PROGRAM)

OWN_POLICY = Cause(
    "own-policy",
    "The job's own policy holds it: an `on_exit_hold` or `periodic_hold` of its submit file",
    Fault.USER,
    Cure.NONE,
    "The hold reason names the expression. `condor_release` lets it run again.",
)

_MACHINE = "The hold reason has HTCondor's words. " + MENDED

HOLD_CODES: dict[int, Cause] = {
    0: Cause("unspecified", "HTCondor gives no reason", Fault.SYSTEM, Cure.AGAIN, _MACHINE, tries=1),
    1: Cause(
        "held-by-hand", "Somebody held it with condor_hold", Fault.USER, Cure.LEAVE, "`condor_release` lets it run."
    ),
    4: Cause(
        "credential",
        "The job's credentials are missing, expired or damaged",
        Fault.USER,
        Cure.NONE,
        "Get new ones, then `glideroute retry`.",
    ),
    5: Cause("policy-undefined", "A policy expression of the job is undefined", Fault.USER, Cure.NONE, PROGRAM),
    6: Cause("not-started", "The node could not start the executable", Fault.SITE, Cure.ELSEWHERE, _MACHINE, tries=1),
    7: Cause(
        "no-stdout", "The file for standard output cannot be opened", Fault.SITE, Cure.ELSEWHERE, _MACHINE, tries=1
    ),
    8: Cause("no-stdin", "The file for standard input cannot be opened", Fault.USER, Cure.NONE, _MACHINE),
    9: Cause("no-stdout-stream", "Standard output cannot be streamed", Fault.SYSTEM, Cure.AGAIN, _MACHINE, tries=2),
    10: Cause("no-stdin-stream", "Standard input cannot be streamed", Fault.SYSTEM, Cure.AGAIN, _MACHINE, tries=2),
    11: Cause("transfer-protocol", "HTCondor's file transfer failed", Fault.SYSTEM, Cure.AGAIN, _MACHINE),
    12: Cause(
        "transfer-output", "Files could not be brought back from the node", Fault.SYSTEM, Cure.ELSEWHERE, _MACHINE
    ),
    13: Cause("transfer-input", "Files could not be sent to the node", Fault.SYSTEM, Cure.ELSEWHERE, _MACHINE),
    14: Cause(
        "directory",
        "The job's directory at the access point cannot be used",
        Fault.SYSTEM,
        Cure.AGAIN,
        "Is the task's directory still there, and its disk not full? " + MENDED,
        tries=2,
    ),
    SUBMITTED_HELD: Cause(
        "submitted-held", "It was submitted on hold", Fault.USER, Cure.LEAVE, "A merge job is released by the router."
    ),
    16: Cause("spooling", "Its files are still on their way to the access point", Fault.USER, Cure.LEAVE, "Wait."),
    17: Cause("shadow-mismatch", "Versions of HTCondor do not fit", Fault.SYSTEM, Cure.NONE, REPORT_IT),
    18: Cause("transfer-go-ahead", "HTCondor's file transfer was not allowed", Fault.SYSTEM, Cure.AGAIN, _MACHINE),
    19: Cause("prepare-hook", "A site's script that prepares jobs failed", Fault.SITE, Cure.ELSEWHERE, _MACHINE),
    20: Cause("deferred-too-long", "Its deferral time has passed", Fault.USER, Cure.NONE, "Submit it again."),
    21: Cause(
        "held-by-site",
        "The node's own policy held it, mostly for using more than it asked for",
        Fault.SITE,
        Cure.ELSEWHERE,
        "The hold reason has the site's words: ask for what the job needs.",
        tries=1,
    ),
    22: Cause("no-user-log", "Its event log cannot be written", Fault.USER, Cure.NONE, _MACHINE),
    23: Cause("no-account", "The user's account cannot be used", Fault.SYSTEM, Cure.AGAIN, REPORT_IT, tries=2),
    24: Cause("no-shadow", "No shadow fits the job", Fault.SYSTEM, Cure.NONE, REPORT_IT),
    25: Cause("cron-settings", "Its cron settings are wrong", Fault.USER, Cure.NONE, "Submit it again without them."),
    26: Cause(
        "system-policy",
        "A rule of the access point holds it (SYSTEM_PERIODIC_HOLD)",
        Fault.USER,
        Cure.NONE,
        "The hold reason names the rule.",
    ),
    27: Cause("system-policy-undefined", "A rule of the access point is undefined", Fault.SYSTEM, Cure.NONE, REPORT_IT),
    **{
        code: Cause("sandbox-owner", "The sandbox's owner could not be changed", Fault.SYSTEM, Cure.AGAIN, REPORT_IT)
        for code in (28, 29, 30, 31)
    },
    32: Cause(
        "input-too-large",
        "Its input files are larger than the access point sends",
        Fault.USER,
        Cure.NONE,
        "Put large inputs on storage and name them in a dataset.",
    ),
    33: Cause(
        "output-too-large",
        "Its output files are larger than the access point takes",
        Fault.USER,
        Cure.NONE,
        "Name large outputs under `outputs:`; they go to the site's storage.",
    ),
    34: Cause(
        "out-of-memory",
        "It used more memory than it asked for",
        Fault.USER,
        Cure.MEMORY,
        "Make the program use less, or ask for more: `requests.memory`.",
    ),
    35: Cause("bad-image", "Its container image cannot be used", Fault.USER, Cure.NONE, "Correct the image's name."),
    36: Cause("checkpoint-failed", "It failed to write its checkpoint", Fault.USER, Cure.NONE, PROGRAM),
    43: Cause("pre-script", "Its pre script failed", Fault.USER, Cure.NONE, PROGRAM),
    44: Cause("post-script", "Its post script failed", Fault.USER, Cure.NONE, PROGRAM),
    45: Cause("no-container", "The node cannot run containers", Fault.SITE, Cure.ELSEWHERE, REPORT_IT),
    46: Cause(
        "duration-exceeded",
        "It took longer than its own `allowed_job_duration`",
        Fault.USER,
        Cure.NONE,
        "Allow more, or split the task into shorter jobs.",
    ),
    47: Cause(
        "walltime-exceeded",
        "It ran longer than it asked for",
        Fault.USER,
        Cure.WALLTIME,
        "Ask for more (`requests.walltime`), or split the task into shorter jobs.",
    ),
    48: Cause(
        "shadow-hook", "A script of the access point that prepares jobs failed", Fault.SYSTEM, Cure.AGAIN, REPORT_IT
    ),
    49: Cause("no-group", "The user's primary group cannot be used", Fault.SYSTEM, Cure.NONE, REPORT_IT),
}
"""HTCondor's HoldReasonCode, without 3 (the job's own policy), 2 (Globus) and 37 to 42 (EC2), which are none of a
vanilla job's, or tell more by their subcode."""

ASKED = Cause(
    "asked-elsewhere",
    "Its owner or an operator wants it at another site",
    Fault.USER,
    Cure.ELSEWHERE,
    NOTHING,
)
"""A person asked by `glideroute retry --elsewhere`."""

_GONE = "is not at the access point any more, or never was"
HOLD_SUBCODES: dict[tuple[int, int], Cause] = {
    (BY_HAND, ASKED_ELSEWHERE): ASKED,
    (12, 2): Cause(
        "no-such-output",
        "A file named in `transfer_output_files` was not written",
        Fault.USER,
        Cure.NONE,
        "Make the program write it, or do not name it.",
    ),
    (13, 2): Cause("no-such-input", f"An input file {_GONE}", Fault.USER, Cure.NONE, f"Put it back. {MENDED}"),
    (14, 2): Cause("no-such-directory", f"The job's directory {_GONE}", Fault.USER, Cure.NONE, "Submit it again."),
}
"""Where HoldReasonSubCode, mostly an errno, tells more."""

UNKNOWN = Cause("unknown-code", "HTCondor gives a code that glideroute does not know", Fault.SYSTEM, Cure.AGAIN,
                _MACHINE, tries=1)  # fmt: skip


def _vacated(tag: str, words: str, fault: Fault) -> Cause:
    return Cause(tag, words, fault, Cure.LEAVE, NOTHING)


VACATE_CODES: dict[int, Cause] = {
    1000: _vacated("vacated-by-job", "The job's own policy stopped its run", Fault.USER),
    1001: _vacated("vacated-by-rule", "A rule of the access point stopped its run", Fault.SYSTEM),
    1002: _vacated("shadow-exception", "Its shadow failed, mostly by losing the node", Fault.SYSTEM),
    1003: _vacated("start-failed", "It could not be started on the node", Fault.SITE),
    1004: _vacated("vacated-by-user", "Somebody stopped its run with condor_vacate_job", Fault.USER),
    1005: _vacated("requeued", "It ended, and its own policy says that it runs again", Fault.USER),
    1006: _vacated("claim-failed", "The node did not take it", Fault.SITE),
    1007: _vacated("starter-error", "HTCondor's starter failed on the node", Fault.SITE),
    1008: _vacated("reconnect-failed", "The connection to the node was lost and did not come back", Fault.SITE),
    1009: _vacated("claim-deactivated", "The access point took it back", Fault.SYSTEM),
    1010: _vacated("vacated-by-site", "The node was told to stop it", Fault.SITE),
    1011: _vacated("preempted", "The node's policy stopped its run", Fault.SITE),
    1012: _vacated("startd-exception", "HTCondor failed on the node", Fault.SITE),
    1013: _vacated("glidein-ended", "The glidein ended", Fault.SITE),
    1014: _vacated("glidein-drained", "The node was drained", Fault.SITE),
    1015: _vacated("coalesced", "The node joined its slots", Fault.SITE),
    1016: _vacated("hibernated", "The node went to sleep", Fault.SITE),
    1017: _vacated("claim-released", "The claim was given up", Fault.SYSTEM),
    1018: _vacated("preempted-by-rank", "The node preferred another job", Fault.SITE),
    1019: _vacated("preempted-by-priority", "A user with better priority took the slot", Fault.SYSTEM),
    1020: _vacated("vm-error", "Its virtual machine failed", Fault.SITE),
    1021: _vacated("container-error", "Its container failed on the node", Fault.SITE),
    1022: _vacated("vacated-by-schedd", "The access point stopped its run", Fault.SYSTEM),
    1023: _vacated("removed", "It was removed while it ran", Fault.USER),
    1024: _vacated("scratch-error", "The node's scratch directory failed", Fault.SITE),
    1025: _vacated("checkpointed", "It wrote its checkpoint, and gave the slot back", Fault.USER),
    **{
        code: _vacated("activation-refused", "The node refused to start it on a claimed slot", Fault.SITE)
        for code in range(1026, 1037)
    },
    1037: _vacated("rehomed", "The node went to another pool", Fault.SITE),
}
"""HTCondor's VacateReasonCode; the job is idle again, and HTCondor runs it as before."""


def cause_of(code: int, subcode: int, wrapped: bool) -> Cause:
    """Why jobs with this HoldReasonCode and subcode are held; `wrapped`: they run in our wrapper."""
    if code == FAILED:
        return ended_with(subcode) if wrapped else OWN_POLICY
    return HOLD_SUBCODES.get((code, subcode)) or HOLD_CODES.get(code, UNKNOWN)


def ended_with(code: int) -> Cause:
    """Why our wrapper ended with an exit code, or with 128 and a signal's number."""
    if code > SIGNAL_BASE:
        return SIGNALS.get(code - SIGNAL_BASE, CRASHED)
    return EXIT_CODES.get(code, UNKNOWN)


def cause_of_group(group: JobGroup) -> Cause:
    """Why a group's jobs are held."""
    return cause_of(group.hold_code, group.hold_subcode, group.wrapped)


BY_TAG: dict[str, Cause] = {
    cause.tag: cause
    for cause in (
        *EXIT_CODES.values(),
        *SIGNALS.values(),
        *HOLD_CODES.values(),
        *HOLD_SUBCODES.values(),
        CRASHED,
        OWN_POLICY,
        UNKNOWN,
    )
}
"""All causes of held jobs."""


def tagged(tag: str) -> Cause:
    """The cause of a tag; an ad may carry one that another glideroute wrote."""
    return BY_TAG.get(tag, UNKNOWN)
