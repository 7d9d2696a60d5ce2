"""The child process that speaks to HTCondor, and the deadline on every call to it.

The bindings hold the interpreter's lock while they wait for the network, and some calls never time out; identity and
security sessions are fixed for a process once it has spoken. So each identity has a child of its own, which is killed
when it overruns its deadline and started again by the next call. Frames are JSON with a length before it.
"""

import json
import math
import os
import selectors
import struct
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import IO, Any

from router.errors import LeaseLost, OutcomeUnknown, PermissionRefused, PoolUnreachable, RouterError

HEADER = struct.Struct(">I")
MAX_FRAME = 1 << 30

_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "USER", "LOGNAME")


class Refused(RouterError):
    """HTCondor refused or did not find what was asked for; the text is its own."""


class Channel:
    """Calls operations of `router.pool.child` as one identity."""

    def __init__(self, environment: Mapping[str, str], who: str = "") -> None:
        """Speak to the pool that `environment` (CONDOR_CONFIG and `_CONDOR_` settings) describes."""
        self._environment = dict(environment)
        self._who = who
        self._process: subprocess.Popen[bytes] | None = None

    def call(self, operation: str, *, deadline: float = 20.0, until: float = math.inf, **arguments: Any) -> Any:
        """The answer of an operation; the child does not begin it past the monotonic time `until`.

        Raises OutcomeUnknown when none came within `deadline` seconds or the child died, PoolUnreachable when HTCondor
        cannot be reached, PermissionRefused when it denies, LeaseLost past `until`, Refused for any other failure it
        reports.
        """
        process = self._process or self._start()
        end = time.monotonic() + deadline
        try:
            assert process.stdin is not None and process.stdout is not None  # noqa: S101 - both are pipes
            write_frame(process.stdin, _request(operation, until, arguments))
            answer = _read_frame(process.stdout, end)
        except TimeoutError:
            self.close()
            raise OutcomeUnknown(
                f"HTCondor did not answer the call `{operation}` within {deadline:g} s{self._as_whom()}. It may be "
                "overloaded or frozen; look at `glideroute pool status` and the SchedLog, then try again."
            ) from None
        except (OSError, EOFError):
            self.close()
            raise OutcomeUnknown(
                f"The process that speaks to HTCondor ended during `{operation}`. Try again."
            ) from None
        except BaseException:
            self.close()  # a frame half read would answer the next call
            raise
        return self._unwrap(answer, operation)

    def close(self) -> None:
        """End the child; the next call starts another."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    _close_quietly(pipe)

    def _start(self) -> subprocess.Popen[bytes]:
        kept = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "router.pool.child"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**kept, **self._environment},
                start_new_session=True,  # Ctrl-C at the terminal is the parent's to handle
            )
        except OSError as error:
            raise PoolUnreachable(
                f"The process that speaks to HTCondor cannot be started: {error}. Look at this machine's limits."
            ) from None
        return self._process

    def _unwrap(self, answer: Any, operation: str) -> Any:
        if answer["ok"]:
            return answer["value"]
        text = f"{answer['message']}{self._as_whom()}"
        match answer["kind"]:
            case "unreachable":
                raise PoolUnreachable(
                    f"HTCondor cannot be reached: {text}. Is the pool running? `glideroute pool status` tells, "
                    "`glideroute pool up` starts the embedded one."
                )
            case "late":
                raise LeaseLost(f"HTCondor was not asked to `{operation}`: the lease ran out before. Try again.")
            case "denied":
                raise PermissionRefused(
                    f"HTCondor refused `{operation}`: {text}. Check that a token for this pool is there "
                    "(`condor_token_list`) and that it has not expired."
                )
        raise Refused(f"HTCondor refused `{operation}`: {text}")

    def _as_whom(self) -> str:
        return f" (as {self._who})" if self._who else ""


def _request(operation: str, until: float, arguments: Mapping[str, Any]) -> dict[str, Any]:
    # The monotonic clock is one for all processes of a machine.
    return {"operation": operation, "until": None if until == math.inf else until, "arguments": arguments}


def write_frame(pipe: IO[bytes], value: Any) -> None:
    """Write one value as a frame."""
    text = json.dumps(value, allow_nan=False).encode()
    pipe.write(HEADER.pack(len(text)) + text)
    pipe.flush()


def _read_frame(pipe: IO[bytes], end: float) -> Any:
    (size,) = HEADER.unpack(_read(pipe, HEADER.size, end))
    if size > MAX_FRAME:
        raise EOFError
    return json.loads(_read(pipe, size, end))


def _read(pipe: IO[bytes], size: int, end: float) -> bytes:
    """Exactly `size` bytes before the monotonic time `end`."""
    parts = bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while len(parts) < size:
            if not selector.select(max(0.0, end - time.monotonic())):
                raise TimeoutError
            part = os.read(pipe.fileno(), min(1 << 20, size - len(parts)))
            if not part:
                raise EOFError
            parts += part
    return bytes(parts)


def _close_quietly(pipe: IO[bytes]) -> None:
    try:
        pipe.close()
    except OSError:  # a write that was buffered for a dead child
        return
