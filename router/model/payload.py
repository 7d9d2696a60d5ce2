"""Payloads: what a user wants run, as the user wrote it."""

from dataclasses import dataclass

from router.model import document, names
from router.model import sweep as sweeps
from router.model.node import Gpus, Platform, image_kind
from router.model.query import Place, Reach, Search, apart, cut
from router.model.sweep import Sweep


@dataclass(frozen=True, slots=True)
class Requests:
    """What one job needs of a slot."""

    cpus: int = 1
    memory_mb: int = 2048
    """MB of 1024 kB."""
    disk_mb: int = 1024
    """MB of 1024 kB."""
    walltime_s: int = 28800
    gpus: Gpus = Gpus()
    platform: Platform = Platform()


BY_LUMIS = ("lumis", "lumi-events")
"""Splits that cut files between luminosity sections."""
COPY = "copy"
ACCESS = (COPY, "auto", "remote")
RESERVED = ("glideroute_inputs", "reports", "tmp", "var")
"""Folders of a job's working directory that are not the user's."""
AUTO = "auto"
"""Probes first, then jobs of a wanted length, as `router.decide.stages` says."""
AUTO_TARGET_S = 8 * 3600
AUTO_MARGIN_S = 3600
"""What jobs of an automatic split may take beyond the wanted time before they are stopped: CRAB's hour."""
DIGEST = ".sha256"
"""What follows a packed folder's name in that of the file with its SHA-256."""
SPLITS = ("files", "events", "size", "blocks", *BY_LUMIS, AUTO)


@dataclass(frozen=True, slots=True)
class Split:
    """How the input is cut into jobs."""

    by: str = "files"
    """One of SPLITS."""
    target: int = 1
    """What a job gets: files, events, bytes, blocks, luminosity sections, or about so many events of whole ones.

    Of an automatic split: about so many seconds.
    """
    total: float = 0.0
    """Only the first so many of them; below 1 a fraction of what there is; 0: all."""


@dataclass(frozen=True, slots=True)
class Output:
    """A file that every job promises to leave behind."""

    name: str
    merge: bool = False
    """Whether a last job of the task joins them into one."""
    command: str = ""
    """The user's program, beside the payload document, that joins them; empty: by the kind of file."""
    fan_in: int = 0
    """Parts that one merge job joins at most, so that there is a tree of them; 0: one job joins all."""
    keep_parts: bool = True
    """Whether the jobs' own files stay when the merged one is verified."""


@dataclass(frozen=True, slots=True)
class Payload:
    """A program, its input, how to split it, what comes out and what it needs."""

    name: str
    executable: str
    """A file beside the payload document."""
    arguments: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    container: str = ""
    """The image that the jobs run in; empty: none."""
    files: tuple[str, ...] = ()
    """Further files sent with every job."""
    folder: str = ""
    """A folder beside the payload document that is sent with every job, where it has the same name; empty: none."""
    dataset: str = ""
    """Logical name of the input; empty where a query chooses it, or where there is none."""
    search: Search | None = None
    """Which files are read; None: all of the dataset."""
    mask: str = ""
    """The file, beside the payload document, of the luminosity sections that are read; empty: all."""
    access: str = COPY
    """How jobs get at the input: a copy of all, nothing copied (`remote`), or whatever takes least time (`auto`)."""
    selection: str = ""
    """Which events of them, as uproot's `cut`; the program itself selects them."""
    jobs: int = 1
    """How many to run where nothing is read; of each point of a sweep."""
    sweep: Sweep = Sweep()
    """Parameters that differ from job to job; every point reads the whole input."""
    split: Split = Split()
    outputs: tuple[Output, ...] = ()
    destination: str = ""
    """Storage element that outputs are brought to when their job has ended; empty: they stay where they are made."""
    token: str = ""
    """HTCondor's name for the service whose token jobs show to storage; empty: they show none."""
    requests: Requests = Requests()
    allow: tuple[str, ...] = ()
    """Sites it may run at; empty: all."""
    block: tuple[str, ...] = ()
    group: str = ""
    """Accounting group; empty: the user's own."""
    priority: int = 0
    """Among the user's own tasks, -1,000 to 1,000; the higher first."""
    move: bool = True
    """Whether jobs may be taken to other sites once they are placed."""

    @property
    def beside(self) -> tuple[str, ...]:
        """The files that lie beside the payload document."""
        return tuple(name for name in (self.executable, *self.files, *self.merge_commands, self.mask) if name)

    @property
    def bundle(self) -> str:
        """The file that the folder is sent as; empty where there is none."""
        return f"{self.folder}.tar.gz" if self.folder else ""

    @property
    def bundle_digest(self) -> str:
        """The file that says which bytes that is: other jobs may have had them in their hands."""
        return f"{self.bundle}{DIGEST}" if self.bundle else ""

    @property
    def reads(self) -> bool:
        """Whether it has input."""
        return bool(self.dataset) or self.search is not None

    @property
    def merge_commands(self) -> tuple[str, ...]:
        """The user's programs that join outputs, each once."""
        return tuple(dict.fromkeys(output.command for output in self.outputs if output.command))


def parse(text: str, source: str = "payload") -> Payload:
    """The payload written in a YAML document. Raises UserError that names every fault with its line."""
    top = document.read(text, source)
    sites, code = top.section("sites"), top.section("code")
    container = top.text("container", "", names.image)
    section = top.section("input")
    dataset, search, selection = _input(section)
    split = _split(top)
    payload = Payload(
        name=top.text("name", check=names.name),
        executable=top.text("executable", check=names.file_name),
        arguments=top.texts("arguments", names.plain),
        environment=top.pairs("environment", names.environment_name, names.plain),
        container=container,
        files=top.texts("files", names.file_name),
        folder=code.text("folder", check=names.file_name) if code else "",
        dataset=dataset,
        search=search,
        mask=section.text("lumis", "", names.file_name) if section else "",
        access=section.choice("access", ACCESS, COPY) if section else COPY,
        selection=selection,
        jobs=top.integer("jobs", 1, at_least=1, at_most=10_000),
        sweep=sweeps.parse(top),
        split=split,
        outputs=_outputs(top),
        destination=top.text("destination", "", names.name),
        token=top.text("token", "", names.service),
        requests=_requests(top, container, split),
        allow=tuple(sorted(sites.texts("allow", names.name))) if sites else (),
        block=tuple(sorted(sites.texts("block", names.name))) if sites else (),
        group=top.text("group", "", names.group),
        priority=top.integer("priority", 0, at_least=-1000, at_most=1000),
        move=top.flag("move", True),
    )
    _check_together(top, payload)
    top.finish()
    return payload


def _input(section: document.Section | None) -> tuple[str, Search | None, str]:
    """The dataset, the files of it or of all that are chosen, and the events of them."""
    if section is None:
        return "", None, ""
    if section.has("query"):
        for key in ("dataset", "where"):
            if section.has(key):
                section.fault(key, "cannot stand beside `query`, which says where to look and for what")
        return "", *_chosen(section, "query", None)
    dataset = section.text("dataset", check=names.lfn)
    if not section.has("where"):
        return dataset, None, ""
    search, selection = _chosen(section, "where", Place(dataset, Reach.DATASET))
    return dataset, search if search and search.where else None, selection


def _chosen(section: document.Section, key: str, place: Place | None) -> tuple[Search | None, str]:
    """The files and the events that a query asks for; its place is given, or it names one itself."""
    from router.model.query_grammar import parse, where  # loads the grammar: most payloads have no query

    text = section.text(key, "")
    try:
        found = Search(place, where(text)) if place else parse(text)
        files, events = apart(found.where) if found.where else (None, None)
        return Search(found.place, files), cut(events) if events else ""
    except ValueError as error:
        section.fault(key, str(error))
        return None, ""


def _split(top: document.Section) -> Split:
    section = top.section("split")
    if section is None:
        return Split()
    by = section.choice("by", SPLITS, "files")
    return Split(by, _target(section, by), _total(section, by))


def _target(section: document.Section, by: str) -> int:
    if by == AUTO:
        return section.seconds("target", AUTO_TARGET_S)
    if by != "size":
        return section.integer("target", 1, at_least=1)
    if not section.has("target"):
        section.fault("target", "must say how much a job reads, such as 2 GB")
    return section.size_mb("target", 1) * 1024**2


def _total(section: document.Section, by: str) -> float:
    total = section.number("total", 0.0)
    if by == "size" and total >= 1:
        section.fault("total", "must be a fraction below 1 of all bytes, such as 0.1")
    elif total > 1 and total != int(total):
        section.fault("total", f"must be a whole number, or a fraction below 1, not {total:g}")
    return total


def _outputs(top: document.Section) -> tuple[Output, ...]:
    return tuple(_output(section) for section in top.sections("outputs"))


def _output(section: document.Section) -> Output:
    command = section.text("merge_with", "", names.file_name)
    merge = section.choice("merge", ("auto", "none"), "auto" if command else "none") == "auto"
    if command and not merge:
        section.fault(
            "merge_with", "says how to merge, and `merge: none` that nothing is merged; leave one of them out"
        )
    fan_in = section.integer("fan_in", 0, at_least=2, at_most=1000)
    if fan_in and not merge:
        section.fault("fan_in", "says how many parts a merge job joins; it needs `merge: auto`")
    keep_parts = section.flag("keep_parts", True)
    if not keep_parts and not merge:
        section.fault("keep_parts", "false removes parts that are merged; it needs `merge: auto`")
    if not keep_parts and command:
        section.fault("keep_parts", "cannot be false beside `merge_with`, whose entries nobody counts")
    return Output(section.text("name", check=names.file_name), merge, command, fan_in, keep_parts)


def _requests(top: document.Section, container: str, split: Split) -> Requests:
    images = (image_kind(container),) if container else ()
    auto = split.by == AUTO
    walltime_s = split.target + AUTO_MARGIN_S if auto else Requests().walltime_s
    default = Requests(walltime_s=walltime_s, platform=Platform(images=images))
    section = top.section("requests")
    if section is None:
        return default
    if auto and section.has("walltime"):
        section.fault("walltime", "cannot stand beside `split: {by: auto}`, whose target says how long jobs take")
    return Requests(
        cpus=section.integer("cpus", default.cpus, at_least=1, at_most=1024),
        memory_mb=section.size_mb("memory", default.memory_mb),
        disk_mb=section.size_mb("disk", default.disk_mb),
        walltime_s=section.seconds("walltime", default.walltime_s),
        gpus=gpus(section),
        platform=Platform(
            arch=section.text("arch", "", names.arch),
            os=section.text("os", "", names.system),
            software=tuple(sorted(set(section.texts("software", names.software)))),
            images=images,
        ),
    )


def gpus(section: document.Section) -> Gpus:
    """The GPUs that jobs ask for, or that an entry's glideins have."""
    found = Gpus(
        count=section.integer("gpus", 0, at_most=64),
        memory_mb=section.size_mb("gpu_memory", 0),
        capability=section.number("gpu_capability", 0.0),
    )
    if found != Gpus() and not found.count:
        section.fault("gpus", "must say how many, where `gpu_memory` or `gpu_capability` says of what kind")
    return found


def _check_outputs(top: document.Section, payload: Payload) -> None:
    if payload.destination and not payload.outputs:
        top.fault("destination", "needs `outputs`; without them there is nothing to bring there")
    if payload.folder and payload.folder in RESERVED:
        top.fault("code", f"calls the folder {payload.folder}, as the job wrapper calls one of its own; rename it")
    if payload.folder and payload.folder in (payload.executable, *payload.files):
        top.fault("code", f"calls the folder {payload.folder}, and so is a file; one of them needs another name")
    taken = [output.name for output in payload.outputs if output.name]
    if len(set(taken)) != len(taken):
        top.fault("outputs", "names the same file twice")


def _check_together(top: document.Section, payload: Payload) -> None:
    """Faults that no single key shows."""
    if payload.reads and top.has("jobs"):
        top.fault("jobs", "is for payloads without input; with input, `split` says how many jobs there are")
    if not top.has("input") and top.has("split"):
        top.fault("split", "needs `input: {dataset: …}`; without input, `jobs` says how many jobs there are")
    if payload.split.by == AUTO and payload.sweep.values:
        top.fault("split", "by auto measures one program with one set of parameters; leave out `sweep`")
    if payload.split.by == AUTO and any(output.fan_in for output in payload.outputs):
        top.fault("split", "by auto does not tell how many parts there will be; leave out `outputs[].fan_in`")
    if payload.mask and payload.split.by == "events":
        top.fault("split", "by events cuts luminosity sections; with `input.lumis` split by lumi-events")
    if payload.container and payload.requests.platform.os:
        top.fault("container", "brings its own system, so that `requests.os` means nothing; leave one of them out")
    _check_outputs(top, payload)
    if both := sorted(set(payload.allow) & set(payload.block)):
        top.fault("sites", f"both allows and blocks {', '.join(both)}")
