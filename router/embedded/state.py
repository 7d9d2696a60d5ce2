"""What a pool's folder remembers from one command to the next."""

import json
from dataclasses import dataclass
from pathlib import Path

from router.embedded.prefix import Installation
from router.embedded.processes import Process
from router.embedded.tokens import write_private
from router.errors import RouterError
from router.render.pool_config import Release

FILE = "state.json"


@dataclass(frozen=True, slots=True)
class State:
    """The pool's lasting identity, and its process while it runs.

    `holder` is the process above condor_master that ends all of the pool when it ends itself.
    """

    domain: str
    port: int
    sockets: Path
    installation: Installation
    holder: Process | None


def load(home: Path) -> State | None:
    """Read the state; None if the pool was never started. Raise RouterError for a file that is damaged."""
    try:
        text = (home / FILE).read_text()
    except FileNotFoundError:
        return None
    try:
        return _parsed(json.loads(text))
    except (ValueError, KeyError, TypeError) as error:
        raise RouterError(
            f"{home / FILE} is damaged ({error!r}), so it is not known which processes belong to the pool. "
            "End any condor_master of yours by hand, remove the file, and start the pool again."
        ) from error


def save(home: Path, state: State) -> None:
    """Write the state, whole or not at all."""
    holder = state.holder
    values = {
        "domain": state.domain,
        "port": state.port,
        "sockets": str(state.sockets),
        "version": state.installation.version,
        "programs": str(state.installation.programs),
        "release": {name: str(getattr(state.installation.release, name)) for name in Release.__slots__},
        "holder": holder and {"pid": holder.pid, "started": holder.started, "boot": holder.boot},
    }
    write_private(home / FILE, json.dumps(values, indent=1) + "\n")


def _parsed(values: dict[str, object]) -> State:
    release, holder = values["release"], values["holder"]
    if not isinstance(release, dict) or not isinstance(holder, dict | None):
        raise TypeError("release and holder are objects")
    return State(
        domain=str(values["domain"]),
        port=int(str(values["port"])),
        sockets=Path(str(values["sockets"])),
        installation=Installation(
            version=str(values["version"]),
            release=Release(**{name: Path(release[name]) for name in Release.__slots__}),
            programs=Path(str(values["programs"])),
        ),
        holder=None if holder is None else Process(int(holder["pid"]), int(holder["started"]), str(holder["boot"])),
    )
