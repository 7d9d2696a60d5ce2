"""Stage-out: outputs written beside their place, read back, and put in place when all are there."""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from router.worker.wrapper.description import Job, Output, physical_name
from router.worker.wrapper.exit_codes import Failure
from router.worker.wrapper.reading import adler32_copy, local_path, open_regular
from router.worker.wrapper.storage_rules import destinations

if TYPE_CHECKING:
    from router.worker.wrapper.web_storage import StagedOnWeb


def read_back(path: Path) -> tuple[int, str]:
    """Size and adler32 of what a file holds; OSError."""
    with path.open("rb") as content:
        return adler32_copy(content, None)


def refuse_other(there: tuple[int, str], told: Mapping[str, Any]) -> None:
    """ValueError unless the size and adler32 of what has an output's name are the output's."""
    if there != (told["size"], told["adler32"]):
        raise ValueError("another file has this name, and it is not this task's to replace")


@dataclass(frozen=True)
class Staged:
    """An output that lies verified beside its place."""

    part: Path
    final: Path
    own: bool
    """Whether the name is this task's: an earlier try of the same job may have written it, and is replaced."""
    told: dict[str, Any]

    def refuse_taken(self) -> None:
        """ValueError where the place is taken by another file, which is not this task's to replace."""
        if not self.own and self.final.exists():
            refuse_other(read_back(self.final), self.told)

    def put_in_place(self) -> None:
        """Give the complete file its name; OSError, or ValueError where it is taken."""
        if self.own:
            self.part.replace(self.final)
        else:
            try:
                os.link(self.part, self.final)
            except FileExistsError:
                self.refuse_taken()
            self.discard()
        directory = os.open(self.final.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def discard(self) -> None:
        """Remove what is not in place."""
        self.part.unlink(missing_ok=True)


def write_beside(source: Path, final: Path, own: bool, told: Mapping[str, Any]) -> Staged:
    """Write a file beside its final place and read it back; OSError or ValueError, and no file, when that fails.

    A part file that a kill leaves behind is never taken for the file, and a reader never sees half of one.
    """
    final.parent.mkdir(parents=True, exist_ok=True)
    part = final.with_name(f"{final.name}.part-{uuid.uuid4().hex}")
    try:
        with open_regular(source) as content, part.open("xb") as target:
            size, adler = adler32_copy(content, target)
            target.flush()
            os.fsync(target.fileno())
        if read_back(part) != (size, adler):
            raise ValueError("the storage gives back other bytes than were written")
        staged = Staged(part, final, own, {**told, "size": size, "adler32": adler})
        staged.refuse_taken()
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return staged


def written(source: Path, pfn: str, own: bool, told: Mapping[str, Any]) -> Staged | StagedOnWeb:
    """Write a file beside its final place, mounted or on the web; OSError or ValueError, and no file, if that fails."""
    if physical_name(pfn).startswith("file:"):
        return write_beside(source, local_path(pfn), own, told)
    from router.worker.wrapper.web_storage import write_beside as write_on_web  # why here, it says itself

    return write_on_web(source, pfn, own, told)


def stage_out_all(job: Job, site: str, storage: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Write all outputs, and put them in place when all are verified; Failure, and none in place, when one cannot be.

    What is in place when a later one cannot be put there, or when a kill comes between, the next try replaces.
    """
    staged: list[Staged | StagedOnWeb] = []
    in_place = 0
    try:
        for output in job.outputs:
            staged.append(stage_out(output, job, site, storage))
        for each in staged:
            each.put_in_place()
            in_place += 1
    except (OSError, ValueError) as why:
        raise Failure("stage_out_failed", f"could not put the outputs in place: {why}") from None
    finally:
        for each in staged[in_place:]:
            each.discard()
    return [each.told for each in staged]


def stage_out(output: Output, job: Job, site: str, storage: Sequence[Mapping[str, Any]]) -> Staged | StagedOnWeb:
    """Write an output beside its place at the first volume of the site that takes it; Failure when none does."""
    own = job.task in output.lfn.split("/")[:-1]
    failed: list[str] = []
    try:
        for se, at, pfn in destinations(output.lfn, site, storage):
            told = {"name": output.name, "lfn": output.lfn, "se": se, "site": at, "pfn": pfn}
            try:
                return written(Path(output.name), pfn, own, told)
            except (OSError, ValueError) as why:
                failed.append(f"{se}: {why}")
    except (KeyError, IndexError, TypeError, AttributeError, ValueError, re.error) as why:
        failed.append(f"the storage description of site {site} is wrong: {why!r}")
    reasons = "; ".join(failed) or f"site {site or '(unnamed)'} has no storage whose rules take it"
    raise Failure("stage_out_failed", f"could not write {output.lfn}: {reasons}")


def check_outputs(job: Job) -> None:
    """Failure unless every promised output is a regular file in the sandbox."""
    faults = []
    for output in job.outputs:
        try:
            open_regular(Path(output.name)).close()
        except FileNotFoundError:
            faults.append(f"{output.name} was not written")
        except (OSError, ValueError) as why:
            faults.append(f"{output.name}: {why}")
    if faults:
        raise Failure("output_missing", f"the payload ended well, but not as promised: {'; '.join(faults)}")
