"""HTCondor's bindings and nothing around them: what the product is measured against.

A program of its own, since an identity is fixed for a process; it reads a request a line and answers with the seconds
that the bindings took, so that neither its start nor the way to it count.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any


class Bare:
    """The bindings as one identity."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Start the program in `environment`."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.bare"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **environment},
            cwd=Path(__file__).resolve().parent.parent,
            text=True,
        )

    def __enter__(self) -> "Bare":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.kill()
        self._process.communicate()

    def query(self, constraint: str, attributes: Sequence[str]) -> float:
        """Read jobs one by one; their number must not be 0."""
        return self._seconds("query", constraint, list(attributes))

    def edit(self, constraint: str, attribute: str, value: str) -> float:
        """Set one attribute where `constraint` holds."""
        return self._seconds("edit", constraint, attribute, value)

    def act(self, action: str, jobs: Sequence[str]) -> float:
        """Hold or release jobs by their ids."""
        return self._seconds("act", action, list(jobs))

    def submit(self, clusters: Iterable[tuple[str, Sequence[Mapping[str, str]]]]) -> float:
        """Submit clusters: a description and the items of each."""
        return self._seconds("submit", [(text, [dict(item) for item in items]) for text, items in clusters])

    def _seconds(self, *request: Any) -> float:
        assert self._process.stdin is not None and self._process.stdout is not None  # noqa: S101 - both are pipes
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return float(json.loads(self._process.stdout.readline()))


def serve() -> None:
    """Answer until standard input ends."""
    import htcondor2  # here, since who imports this module for the class has no identity of the pool

    schedd = htcondor2.Schedd()

    def query(constraint: str, attributes: list[str]) -> None:
        if not schedd.query(constraint, attributes):
            raise SystemExit(f"no job matches {constraint}")

    def submit(clusters: list[tuple[str, list[dict[str, str]]]]) -> None:
        for text, items in clusters:
            schedd.submit(htcondor2.Submit(text), itemdata=iter(items))

    def act(action: str, jobs: list[str]) -> None:
        schedd.act(getattr(htcondor2.JobAction, action), jobs, reason=("the bench", 0))

    calls: dict[str, Callable[..., object]] = {"query": query, "edit": schedd.edit, "act": act, "submit": submit}
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # HTCondor writes warnings to descriptor 1
    for line in sys.stdin:
        name, *given = json.loads(line)
        start = time.perf_counter()
        calls[name](*given)
        answers.write(json.dumps(time.perf_counter() - start) + "\n")
        answers.flush()


if __name__ == "__main__":
    serve()
