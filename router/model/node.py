"""What nodes have besides cores, memory and disk, and what jobs need of it: GPUs, architecture, system, software."""

from dataclasses import dataclass

ANY_ARCH = "any"
"""Asked for by programs that run on every architecture."""

ENTERPRISE_LINUX = frozenset({"redhat", "centos", "rocky", "almalinux", "sl", "slcern", "slfermi"})
"""Systems that run each other's programs, as HTCondor names them (OpSysName); `el9` stands for each of version 9."""


@dataclass(frozen=True, slots=True)
class Gpus:
    """GPUs that one job asks for, or that one glidein has."""

    count: int = 0
    memory_mb: int = 0
    """Of each, in MB of 1024 kB: at least, or of the least."""
    capability: float = 0.0
    """CUDA compute capability of each: at least, or of the least."""

    def hold(self, wanted: "Gpus") -> bool:
        """Whether a glidein that has these serves a job that wants those."""
        return self.count >= wanted.count and (not wanted.count or self.are(wanted))

    def are(self, wanted: "Gpus") -> bool:
        """Whether each is as good as wanted, however many there are."""
        return self.memory_mb >= wanted.memory_mb and self.capability >= wanted.capability

    def __str__(self) -> str:
        """As people say it: `2 GPUs of 16,384 MB and capability 7.5`."""
        if not self.count:
            return "no GPU"
        kind = [f"{self.memory_mb:,} MB"] if self.memory_mb else []
        kind += [f"capability {self.capability:g}"] if self.capability else []
        return f"{self.count} GPU{'s' * (self.count > 1)}" + (f" of {' and '.join(kind)}" if kind else "")


@dataclass(frozen=True, slots=True)
class Platform:
    """What a job needs of a node, or what a node is and has."""

    arch: str = ""
    """`x86_64`, with `-v2` to `-v4` for its levels, or `aarch64`, …; empty: not asked for, or not declared."""
    os: str = ""
    """The system and its version, such as `el9` or `debian12`; empty: not asked for, or not declared."""
    software: tuple[str, ...] = ()
    """Tags, sorted: names, and paths such as those of CVMFS repositories."""
    images: tuple[str, ...] = ()
    """Kinds of container images, sorted: `docker`, `sif`, `directory`. A job asks for one at most."""

    def runs(self, arch: str) -> bool:
        """Whether programs for `arch` run here: the same architecture, of at least that level.

        Nodes of which nobody has said what they are may be of any.
        """
        if arch in ("", ANY_ARCH) or not self.arch:
            return True
        (family, _, level), (own, _, own_level) = arch.partition("-"), self.arch.partition("-")
        return own == family and own_level >= level

    def is_os(self, system: str) -> bool:
        """Whether this is the system asked for, or may be."""
        return not self.os or system in ("", self.os)

    def has(self, software: tuple[str, ...]) -> bool:
        """Whether all of `software` is here."""
        return set(software) <= set(self.software)

    def opens(self, images: tuple[str, ...]) -> bool:
        """Whether containers of these images can be run here."""
        return set(images) <= set(self.images)

    def meets(self, wanted: "Platform") -> bool:
        """Whether a job that wants those finds all of it here."""
        return (
            self.runs(wanted.arch) and self.is_os(wanted.os) and self.has(wanted.software) and self.opens(wanted.images)
        )


UNKNOWN = "unknown"
"""Of a node that is there and does not say what it is: nothing that jobs could ask for."""


def image_kind(image: str) -> str:
    """What a container's image is, by its name, as HTCondor has it: `docker`, `sif` or `directory`; empty for none."""
    if not image:
        return ""
    if image.startswith("docker:"):
        return "docker"
    return "sif" if image.endswith(".sif") else "directory"


def system_of(name: str, version: int) -> str:
    """The system's tag from HTCondor's OpSysName and OpSysMajorVer, such as `el9`; empty where they say nothing."""
    if not name or version <= 0:
        return ""
    return f"{'el' if name.lower() in ENTERPRISE_LINUX else name.lower()}{version}"
