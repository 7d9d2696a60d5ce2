"""What splitting and merging need of the store and of a task's directory."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from router.model.lumis import Lumis
from router.model.task import Batch


class TaskMemory(Protocol):
    """Luminosity sections, the programs that tasks run, and what was added to tasks."""

    def lumis(self, lfns: Sequence[str]) -> Mapping[str, Lumis]:
        """The luminosity sections of those of `lfns` that say theirs."""
        ...

    def set_lumis(self, said: Mapping[str, Lumis], user: str) -> None:
        """Say which luminosity sections files of `user` hold; of all or of none."""
        ...

    def add_batches(self, task: str, added: Sequence[Batch], replaced: Mapping[str, str], stage: str = "") -> None:
        """Remember batches before they are injected, and the jobs, with their batches, whose work they take over.

        With them the stage that the task enters by it.
        """
        ...

    def added(self, task: str) -> Mapping[str, str]:
        """The jobs that were added to a task, with their batches."""
        ...

    def replaced(self, task: str) -> frozenset[str]:
        """The jobs of a task whose work others took over."""
        ...

    def note_program(self, task: str, digest: str) -> None:
        """Remember the SHA-256 of the program that a task runs."""
        ...

    def tasks_of_program(self, digest: str, owner: str, limit: int) -> Sequence[str]:
        """The owner's newest tasks that run a program, by their ids."""
        ...

    def set_stage(self, task: str, stage: str) -> None:
        """Remember how far a task that gets its jobs in stages is."""
        ...

    def stage(self, task: str) -> str:
        """How far a task that gets its jobs in stages is; empty for any other."""
        ...

    def add_merge_nodes(self, task: str, joined: Mapping[str, Sequence[str]]) -> None:
        """Remember merge jobs by batch, with the files each joins; saying it twice is saying it once."""
        ...

    def plan_merge(self, task: str, batch: str, joined: Sequence[str]) -> None:
        """Remember a merge job that is not injected yet, with the files it joins and no others."""
        ...

    def joins(self, task: str, batch: str) -> frozenset[str]:
        """The logical names of the files that a merge job joins."""
        ...

    def retired_of(self, task: str) -> int:
        """Copies of a task's parts whose bytes are still to be removed."""
        ...

    def add_merge(self, task: str, jobs: int) -> None:
        """Remember that a task gets merge jobs, before they are injected."""
        ...


class TaskAdditions(Protocol):
    """A task's directory, when jobs are added to the task."""

    def exclusively(self) -> AbstractContextManager[None]:
        """Let no other process add jobs meanwhile. Raises TemporaryError where one is at it."""
        ...

    def set_aside(self, job: str) -> None:
        """Put away the report of a job that others replace, if there is one."""
        ...
