"""How the wrapper ends: the exit codes, and what raises them."""

from __future__ import annotations

CAUSES: dict[str, tuple[int, str]] = {
    "bad_description": (70, "The job description is not one this wrapper can run."),
    "stage_in_failed": (71, "An input could not be fetched from any replica, or a part to merge is missing."),
    "payload_failed": (72, "The payload ended with an error."),
    "output_missing": (73, "The payload ended well, but a promised output is missing or is no regular file."),
    "stage_out_failed": (74, "An output could not be written to the site's storage element."),
    "evicted": (75, "The job was told to stop (SIGTERM) before it had ended."),
    "wrapper_error": (76, "The wrapper itself failed."),
    "merge_failed": (77, "The parts were all there, but could not be merged."),
    "payload_memory": (78, "The payload failed having used more memory than it asked for, or was killed by SIGKILL."),
    "payload_not_started": (79, "The payload, or a program that it calls, could not be started on this node."),
    "payload_killed": (128, "The payload was killed by a signal, whose number is added to the code."),
}


class Failure(Exception):
    """The job ends here; `cause` is a key of CAUSES, the message is for the person who owns the job."""

    def __init__(self, cause: str, message: str, killed_by: int = 0) -> None:
        super().__init__(message)
        self.cause = cause
        self.code = CAUSES[cause][0] + killed_by


class Evicted(BaseException):
    """SIGTERM came. No Exception, so that nothing which tries a next replica or volume takes it for a failed try."""
