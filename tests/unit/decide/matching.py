"""Jobs and glideins as HTCondor's ads, on the product's own way: what the property test matches.

A job goes from the payload to the submit description to the queue's attributes; a glidein is one slot of an entry, as
old as the margin of the filters allows it to be when its first job comes.
"""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import classad2
import htcondor2  # registers stringListIMember with classad2, without which every match fails

from router import resources
from router.decide.filters import ALLOWED, BLOCKED, first_refusal
from router.model.node import Gpus, Platform, image_kind
from router.model.pilot import MARGIN_S, Entry
from router.model.task import Shape
from router.pool import ads
from router.render.jdl import batch_injection
from router.testing.build import a_batch, a_payload, a_site, a_task

NAMES = ("SITE_A", "SITE_AB", "SITE_B")
NOW = 1_800_000_000

IMAGE = {"docker": "docker://debian:12", "sif": "/cvmfs/a.sif", "directory": "/cvmfs/a/"}
HAS_IMAGE = {"docker": "HasDockerURL", "sif": "HasSIF", "directory": "HasSandboxImage"}

WITHIN_LIMITS = (
    "MY.Cpus > 0 && TARGET.RequestCpus <= MY.Cpus && MY.Memory > 0 && TARGET.RequestMemory <= MY.Memory && "
    "MY.Disk > 0 && TARGET.RequestDisk <= MY.Disk && "
    "(TARGET.RequestGPUs =?= undefined || MY.GPUs >= TARGET.RequestGPUs)"
)
"""What condor_startd adds to START for a partitionable slot (WithinResourceLimits)."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A payload's wishes and the one entry of a site."""

    shape: Shape
    entry: Entry
    spare_kb: int = 0
    """How much more disk than the entry promises the glidein's slot has: less than one MB."""


@cache
def configured(name: str) -> dict[str, str]:
    """The settings of a shipped file: those of HTCondor's language that fit on logical lines."""
    text = Path(resources.folder("glidein_scripts"), name).read_text().replace("\\\n", "")
    return dict(re.findall(r"^(\w+) *= *(.*)$", text, re.MULTILINE))


@cache
def start() -> str:
    """START as the glidein has it, with the clock stopped."""
    known = {**configured("startd.config"), "GLIDEIN_Start": "True", "GLIDEIN_Custom_Start": "True"}
    text = known["START"]
    while "$(" in text:
        text = re.sub(r"\$\((\w+)\)", lambda found: known[found.group(1)], text)
    assert "time()" in text
    return text.replace("time()", str(NOW))


def submitted(described: htcondor2.Submit) -> str:
    """What condor_submit 25.14 makes of a description's requirements, on a machine of x86_64."""
    parts = [f"({described['requirements']})" if "requirements" in described else '(TARGET.Arch == "X86_64")']
    if image := described.get("container_image"):
        parts += ["TARGET.HasContainer", f"TARGET.{HAS_IMAGE[image_kind(image)]}"]
    else:
        parts.append('(TARGET.OpSys == "LINUX")')
    parts.append('(versionGE(split(TARGET.CondorVersion)[1],"25.12.0") || (TARGET.Disk >= RequestDisk))')
    parts.append("(TARGET.Memory >= RequestMemory)")
    if "gpus_minimum_memory" in described or "gpus_minimum_capability" in described:
        parts.append("(countMatches(MY.RequireGPUs,TARGET.AvailableGPUs) >= RequestGPUs)")
    elif "request_gpus" in described:
        parts.append("(TARGET.GPUs >= RequestGPUs)")
    return " && ".join([*parts, "(TARGET.HasFileTransfer)"])


@cache
def transform() -> tuple[tuple[str, str], ...]:
    """The conditions that the schedd's transform puts before a job's requirements, each with what it depends on."""
    text = Path(resources.folder("schedd_config"), "20-routing.config").read_text()
    found, given = [], ""
    for line in (each.strip() for each in text.splitlines()):
        if line.startswith("if "):
            given = line.removeprefix("if ").replace("! defined", "no").replace("defined", "").strip()
        elif line == "else":
            given = given.removeprefix("no ")
        elif line == "endif":
            given = ""
        elif line.startswith("SET Requirements "):
            condition = line.removeprefix("SET Requirements ").removesuffix(" && ($(MY.Requirements))")
            assert "$(" not in condition
            found.append((given.removeprefix("MY."), condition))
    return tuple(found)


def routed_requirements(row: dict[str, object], before: str) -> str:
    """A job's Requirements after the schedd's transform."""
    found = f"({before})"
    for depends, condition in transform():
        if not depends or depends in row:
            found = f"{condition} && ({found})"
    return found


def platform_row(platform: Platform) -> dict[str, object]:
    """What a startd publishes of its node."""
    family, _, level = platform.arch.partition("-")
    name = {"el": "AlmaLinux", "debian": "Debian", "": "LINUX"}[platform.os.rstrip("0123456789")]
    row: dict[str, object] = {
        "Arch": family.upper() if family == "x86_64" else family,
        "OpSysName": name,
        "OpSysMajorVer": int(platform.os.lstrip("abcdefghijklmnopqrstuvwxyz") or 0),
    }
    if family == "x86_64":
        row["Microarch"] = f"x86_64-{level or 'v1'}"
    if platform.software:
        row["ROUTER_SOFTWARE"] = ",".join(platform.software)
    if platform.images:
        row |= {"HasContainer": True, **{HAS_IMAGE[kind]: True for kind in platform.images}}
    return row


def gpu_row(gpus: Gpus) -> dict[str, object]:
    """What a startd publishes of GPUs that are alike."""
    if not gpus.count:
        return {}
    kind = {"Capability": gpus.capability, "GlobalMemoryMb": gpus.memory_mb}
    numbers = range(gpus.count)
    return {
        "GPUs": gpus.count,
        "TotalSlotGPUs": gpus.count,
        **{f"GPUs_{name}": value for name, value in kind.items()},
        **{f"GPUs_GPU_{number}": classad2.ClassAd(kind) for number in numbers},
        "AvailableGPUs": classad2.ExprTree(f"{{ {', '.join(f'GPUs_GPU_{number}' for number in numbers)} }}"),
    }


def slot_row(pair: Pair) -> dict[str, object]:
    """What the glidein of the entry publishes; its life is that of glidein_config.bash's write_lifetime."""
    entry = pair.entry
    die = NOW + entry.walltime_s - MARGIN_S
    disk_kb = entry.disk_mb * 1024 + pair.spare_kb
    return {
        "Cpus": entry.cpus,
        "Memory": entry.memory_mb,
        "Disk": disk_kb,
        "TotalSlotCpus": entry.cpus,
        "TotalSlotMemory": entry.memory_mb,
        "TotalSlotDisk": disk_kb,
        "SlotType": "Partitionable",
        "NumDynamicSlots": 0,
        "MyCurrentTime": NOW,
        "OpSys": "LINUX",
        **platform_row(entry.platform),
        **gpu_row(entry.gpus),
        "HasFileTransfer": True,
        "CondorVersion": "$CondorVersion: 25.14.1 2026-01-01 $",
        "GLIDEIN_Site": entry.site,
        "GLIDEIN_Entry_Name": entry.name,
        "GLIDEIN_ToDie": die,
        "GLIDEIN_ToRetire": die - min(600, entry.walltime_s // 4),
    }


def ad(values: dict[str, object], **expressions: str) -> classad2.ClassAd:
    """An ad of values and of expressions."""
    made = classad2.ClassAd(values)
    for name, text in expressions.items():
        made[name] = classad2.ExprTree(text)
    return made


def slot_ad(pair: Pair) -> classad2.ClassAd:
    return ad(slot_row(pair), Start=start(), Requirements=f"Start && ({WITHIN_LIMITS})")


def job_row(shape: Shape) -> dict[str, object]:
    """The attributes that condor_submit gives the payload's jobs."""
    found = described(shape)
    disk = found.expand("request_disk")
    assert disk.endswith("M")  # condor_submit counts disk in kB
    row = {
        "ClusterId": 1,
        "JobStatus": 1,
        "JobCount": 1,
        "RequestCpus": int(found.expand("request_cpus")),
        "RequestMemory": int(found.expand("request_memory")),
        "RequestDisk": int(disk.removesuffix("M")) * 1024,
        "MaxWallTimeMins": int(found.expand("My.MaxWallTimeMins")),
        "RouterAllowSites": classad2.ExprTree(found.expand("My.RouterAllowSites")).eval(),
        "RouterBlockSites": classad2.ExprTree(found.expand("My.RouterBlockSites")).eval(),
    }
    for name in ("RouterArch", "RouterOS", "RouterSoftware"):
        if f"My.{name}" in found:
            row[name] = classad2.ExprTree(found.expand(f"My.{name}")).eval()
    if "request_gpus" in found:
        row["RequestGPUs"] = int(found["request_gpus"])
    if "gpus_minimum_memory" in found:
        row["GPUsMinMemory"] = int(found["gpus_minimum_memory"].removesuffix("M"))
    if "gpus_minimum_capability" in found:
        row["GPUsMinCapability"] = float(found["gpus_minimum_capability"])
    if "container_image" in found:
        row["ContainerImage"] = found["container_image"]
    return row


def described(shape: Shape) -> htcondor2.Submit:
    """The payload's submit description."""
    (container,) = [IMAGE[kind] for kind in shape.requests.platform.images] or [""]
    payload = a_payload(requests=shape.requests, allow=shape.allow, block=shape.block, container=container)
    return htcondor2.Submit(batch_injection(a_task(payload=payload), a_batch()).text)


def job_ad(shape: Shape) -> classad2.ClassAd:
    """A job that the router has placed wherever the payload's lists let it."""
    placed = tuple(name for name in NAMES if first_refusal(shape, a_site(name), (ALLOWED, BLOCKED)) is None)
    row = job_row(shape)
    terms = {"GPUsMinCapability": "Capability >= GPUsMinCapability", "GPUsMinMemory": "GlobalMemoryMb >= GPUsMinMemory"}
    wanted = " && ".join(text for name, text in terms.items() if name in row)
    requirements = routed_requirements(row, submitted(described(shape)))
    return ad(
        row,
        DESIRED_Sites=ads.site_list(placed),
        Requirements=requirements,
        **({"RequireGPUs": wanted} if wanted else {}),
    )
