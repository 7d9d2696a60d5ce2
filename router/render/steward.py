"""The job that carries an automatic splitting on: its owner's, in the scheduler universe."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from router.errors import UserError
from router.model.task import STEWARD_BATCH, Task
from router.render.encode import Encoded, submit_value
from router.render.jdl import Injection, templates

WORD = re.compile(r"[A-Za-z0-9_./:=@,+~-]+")
"""What needs no quotes in arguments and environments."""


@dataclass(frozen=True, slots=True)
class Steward:
    """What the template sees."""

    task: str
    batch: str
    directory: str
    program: str
    arguments: Encoded
    environment: Encoded


def steward_injection(task: Task, program: Sequence[str], environment: Mapping[str, str]) -> Injection:
    """The cluster of a task's steward: `program` with its arguments, told the task's id.

    Raises UserError where a path has characters that a submit description would not keep.
    """
    path, *arguments = program
    seen = Steward(
        task=task.id,
        batch=STEWARD_BATCH,
        directory=task.directory,
        program=path,
        arguments=_quoted((*arguments, task.id)),
        environment=_quoted(f"{name}={value}" for name, value in sorted(environment.items())),
    )
    text = templates().get_template("steward.jdl.j2").render(steward=seen, title=f"{task.id} {STEWARD_BATCH}")
    return Injection(STEWARD_BATCH, text, ())


def _quoted(words: Iterable[str]) -> Encoded:
    found = [submit_value(word) for word in words]
    if strange := [word for word in found if not WORD.fullmatch(word)]:
        raise UserError(f"{strange[0]!r} cannot be told to a job on the access point: it has blanks or quotes. "
                        "Move the installation, or use `glideroute submit --wait`.")  # fmt: skip
    return Encoded('"' + " ".join(found) + '"')
