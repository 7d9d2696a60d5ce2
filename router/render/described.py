"""Job descriptions read back: what each job of a task was given."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from router.model import lumis, names
from router.model.files import File, Located, Replica
from router.model.task import Chunk, Piece


def chunks(texts: Iterable[str], batch: str) -> dict[str, Chunk]:
    """The jobs that parts of one batch describe, by name. Raises ValueError where a text is no description."""
    found: dict[str, Chunk] = {}
    for text in texts:
        try:
            described = json.loads(text)
            jobs = described["jobs"] if described["batch"] == batch else {}
            found |= {names.name(job): _chunk(job, told) for job, told in jobs.items() if "inputs" in told}
        except (KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError(f"a description of jobs is not one: {error!r}") from None
    return found


def _chunk(job: str, told: Mapping[str, Any]) -> Chunk:
    pieces = tuple(_piece(each) for each in told["inputs"])
    return Chunk(job, pieces, tuple((str(name), str(value)) for name, value in told.get("parameters", {}).items()))


def _piece(told: Mapping[str, Any]) -> Piece:
    first, events = int(told["first_event"]), int(told["events"])
    file = File(
        names.lfn(told["lfn"]),
        int(told["size"]),
        names.adler32(told["adler32"]),
        int(told.get("file_events", first + events)),
    )
    copies = tuple(
        Replica(names.name(each["se"]), names.name(each["site"]), names.plain(each["pfn"])) for each in told["replicas"]
    )
    return Piece(Located(file, copies), first, events, lumis.read(told.get("lumis", {})))
