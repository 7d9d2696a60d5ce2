"""Where the schedd is: the collector tells, and a file remembers it for when the collector does not answer."""

import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import classad2
import htcondor2

REMEMBERED = "GLIDEROUTE_LAST_SCHEDD"
"""Environment variable: the file that remembers it; none is kept without it."""
SETTINGS = ("COLLECTOR_HOST", "SCHEDD_HOST", "GLIDEROUTE_SCHEDD")
"""What decides which schedd is meant."""
TOLD = ("MyAddress", "CondorVersion")


def schedd() -> Any:
    """The schedd, where it was last if it answers there, else where the collector says it is."""
    file = os.environ.get(REMEMBERED, "")
    meant = [htcondor2.param.get(name, "") for name in SETTINGS]
    if file and (known := recalled(Path(file), meant, answers)):
        return known
    name = meant[-1]
    found = htcondor2.Collector().locate(htcondor2.DaemonType.Schedd, *([name] if name else []))
    if file:
        remember(Path(file), meant, found)
    return htcondor2.Schedd(found)


def answers(found: Any) -> bool:
    """Whether a schedd takes a question where it is said to be."""
    try:
        htcondor2.Schedd(found).query("false", ["ClusterId"], limit=1)
    except htcondor2.HTCondorException:
        return False
    return True


def recalled(file: Path, meant: list[str], is_there: Callable[[Any], bool]) -> Any:
    """The schedd that is remembered; None where none is, another was meant, or it is not there any more."""
    try:
        values = json.loads(file.read_text())
        found = classad2.ClassAd({name: str(values[name]) for name in TOLD})
        same = values["meant"] == meant
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return htcondor2.Schedd(found) if same and is_there(found) else None


def remember(file: Path, meant: list[str], found: Any) -> None:
    """Write down where the schedd is, whole or not at all; nothing depends on it."""
    values = {**{name: str(found[name]) for name in TOLD}, "meant": meant}
    if "sock=" not in values["MyAddress"]:
        return  # a port alone may be another daemon's by then
    new = file.with_name(f"{file.name}.{os.getpid()}")
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        new.write_text(json.dumps(values))
        new.chmod(0o600)
        new.replace(file)
