"""What the real negotiator would give each group under another policy: its own dry run, one cycle long.

`condor_negotiator -t -z` is HTCondor's own test mode, and not documented. By itself it does match jobs; with a job
constraint that is never true it only reckons. It gets folders of its own and a copy of the accountant's records, so
that nothing of the running negotiator is touched, and it does not tell the collector of itself.
"""

import os
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from router.embedded.programs import call
from router.errors import RouterError
from router.render.pool_config import condor_value

FOLDERS = ("config.d", "execute", "lock", "log", "run", "spool")
ACCOUNTANT = "Accountantnew.log"
SECONDS = 60.0
END = "END DRYRUN NEGOTIATION TEST"
GIVEN = re.compile(
    r"group quotas: group= (?P<name>\S+)  quota= (?P<quota>\S+)  requested= (?P<requested>\S+)"
    r"  allocated= (?P<allocated>\S+)  unallocated= "
)
CORES = re.compile(r"assigning group quotas from (\S+) available")
FAULT = re.compile(r"ERROR|WARNING|Couldn't|Failed to|Error parsing")
STAMP = re.compile(r"^\S+ \S+ ")


@dataclass(frozen=True, slots=True)
class Given:
    """What the negotiator gives one group, in cores."""

    name: str
    quota: float
    requested: float
    allocated: float


@dataclass(frozen=True, slots=True)
class DryRun:
    """What one cycle came to. `complaints` are the negotiator's own words."""

    cores: float
    groups: tuple[Given, ...]
    complaints: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Central:
    """Where the negotiator of a pool runs: how to start one beside it.

    `before` is the command it is started through; `overrides` are settings that make it trusted by the pool;
    `left_out` are files of the pool's configuration directory that the policy takes the place of.
    """

    program: Path
    config: Path
    config_dir: Path
    spool: Path
    before: Sequence[str] = ()
    overrides: Mapping[str, str] | None = None


def dry_run(central: Central, fragment: str, text: str) -> DryRun:
    """Run one cycle with the configuration `text` in place of the pool's file `fragment`.

    Raises RouterError with the negotiator's own words when it ends before the cycle does.
    """
    with tempfile.TemporaryDirectory(prefix="glideroute-dry-") as made:
        folder = Path(made)
        _prepare(folder, central, fragment, text)
        command = [*central.before, str(central.program), "-f", "-t", "-n", "dryrun", "-z"]
        environment = {"CONDOR_CONFIG": str(folder / "condor_config"), "PATH": os.defpath}
        finished = call(command, environment, SECONDS)
        return _read(finished.stdout + finished.stderr)


def _prepare(folder: Path, central: Central, fragment: str, text: str) -> None:
    for name in FOLDERS:
        (folder / name).mkdir()
    if central.config_dir.is_dir():
        for each in sorted(central.config_dir.iterdir()):
            if each.is_file() and each.name != fragment:
                shutil.copy(each, folder / "config.d" / each.name)
    (folder / "config.d" / fragment).write_text(text)
    if (central.spool / ACCOUNTANT).exists():
        shutil.copy(central.spool / ACCOUNTANT, folder / "spool" / ACCOUNTANT)
    settings = {
        **{name.upper(): folder / name for name in FOLDERS if name != "config.d"},
        "LOCAL_CONFIG_DIR": folder / "config.d",
        "LOCAL_CONFIG_DIR_EXCLUDE_REGEXP": "^(\\..*)|(.*~)$",
        "USE_SHARED_PORT": "False",
        "SEC_USE_FAMILY_SESSION": "False",
        "NEGOTIATOR_JOB_CONSTRAINT": "False",
        "NEGOTIATOR_ADVERTISE_ACCOUNTING": "False",
        "NEGOTIATOR_DEBUG": "D_FULLDEBUG",
        **(central.overrides or {}),
    }
    lines = [f"include : {condor_value(central.config)}"]
    lines += [f"{name} = {value}" for name, value in settings.items()]
    (folder / "condor_config").write_text("\n".join(lines) + "\n")


def _read(log: str) -> DryRun:
    lines = [STAMP.sub("", line).strip() for line in log.splitlines()]
    complaints = tuple(dict.fromkeys(line for line in lines if FAULT.search(line) and "D_ERROR" not in line))
    cores = CORES.search(log)
    if not any(END in line for line in lines) or "Aborting negotiation cycle" in log:
        told = "; ".join(complaints[-3:] or lines[-3:]) or "it said nothing"
        raise RouterError(
            f"The negotiator ended its dry run early: {told}. A running one would have ended as well: mend what it "
            "names before you apply the policy."
        )
    first = log.split("allocation round 2")[0]
    groups = [
        Given(found["name"], float(found["quota"]), float(found["requested"]), float(found["allocated"]))
        for found in GIVEN.finditer(first)
    ]
    return DryRun(float(cores.group(1)) if cores else 0.0, tuple(groups), complaints)
