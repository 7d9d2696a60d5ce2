"""An analysis in Python: described step by step, run, followed, collected, and run again with other code.

    with Session() as session:
        analysis = session.analysis("zmumu").exec("analyse.py", "--bins", "60").query("/demo/zmumu")
        task = analysis.split(by="files").outputs("hist.root", merge=True).run()
        task.wait(progress=True)
        task.results("here")

An `Analysis` is a value: every step returns a new one. What it says is the payload document of the command line, and
`session.load(id)` makes it again wherever the same glideroute is reached.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep

from router import wiring
from router.api import Router
from router.errors import TemporaryError, UserError
from router.model import names, spec
from router.model.answer import BatchWhy, Plan, TaskStatus
from router.model.spec import Spec
from router.progress import download_bar, task_bar
from router.render import notebook
from router.services.provenance import Provenance
from router.services.results import Collected, collected
from router.settings import home_from_environment, load

Code = tuple[tuple[str, Path], ...]
"""Where each file of an analysis lies, by its name in the job."""
Told = Callable[[TaskStatus], None]


class _Shown(ABC):
    """What a notebook shows of a value: its text, and HTML in which everything that somebody wrote is text."""

    @abstractmethod
    def _repr_html_(self) -> str:
        """All of it in HTML."""

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return {"text/plain": repr(self), "text/html": self._repr_html_()}


class Session(_Shown):
    """glideroute as one user sees it, from Python. It opens no connection before one is needed."""

    def __init__(self, home: str | Path | None = None) -> None:
        """Over the installation in `home`; by default that of the environment, as the commands use it."""
        self.settings = load(Path(home).absolute() if home else home_from_environment())
        self._open = ExitStack()
        self._router: Router | None = None

    @property
    def router(self) -> Router:
        """Everything that a user may ask."""
        if self._router is None:
            self._router = self._open.enter_context(wiring.user_session(self.settings))
        return self._router

    def close(self) -> None:
        """Give the connections back; they are made again when they are needed."""
        self._router = None
        self._open.close()

    def __enter__(self) -> "Session":
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Give the connections back."""
        self.close()

    def __repr__(self) -> str:
        """Whose session it is, and over which installation."""
        return f"<Session of {wiring.user_name(self.settings)} in {self.settings.home}>"

    def _repr_html_(self) -> str:
        return notebook.document(repr(self))

    def analysis(self, name: str) -> "Analysis":
        """A new analysis. Raises UserError where it cannot be called so."""
        return Analysis(self, spec.named(name))

    def read(self, path: str | Path) -> "Analysis":
        """The analysis of a payload document, whose files lie beside it. Raises UserError."""
        path = Path(path)
        try:
            found = spec.parse(path.read_text(), str(path))
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"{path} cannot be read: {error}.") from None
        return Analysis(self, found, _code_in(found, path.resolve().parent))

    def load(self, wanted: str) -> "TaskHandle":
        """A task that was submitted, from here or elsewhere: an id, the beginning of one, or a name."""
        return TaskHandle(self, self.router.memory.task(wanted).id)

    def provenance(self, *lfns: str, depth: int = 0) -> Provenance:
        """Where files come from: all that made them, back through `depth` generations of jobs; 0: as far as it goes."""
        return self.router.provenance(*lfns, depth=depth)

    def tasks(self, everyone: bool = False) -> list["TaskHandle"]:
        """The newest tasks, the user's own or everyone's."""
        return [TaskHandle(self, task.id) for task in self.router.tasks(everyone)]


@dataclass(frozen=True, repr=False)
class Analysis(_Shown):
    """What is to be run: a program, its input, how that is split, what comes out. A value; every step makes another."""

    session: Session = field(compare=False)
    spec: Spec
    code: Code = ()

    # What it says

    @property
    def name(self) -> str:
        """What its tasks are called."""
        return str(self.spec.get("name"))

    @property
    def yaml(self) -> str:
        """It as the payload document that `glideroute submit` takes."""
        return self.spec.text

    def __repr__(self) -> str:
        """It as its document."""
        return f"Analysis of\n{self.spec.text}"

    def _repr_html_(self) -> str:
        return notebook.document(self.spec.text)

    # Steps

    def exec(
        self,
        program: str | Path,
        *arguments: object,
        files: Sequence[str | Path] = (),
        environment: Mapping[str, object] | None = None,
        container: str | None = None,
        folder: str | Path | None = None,
    ) -> "Analysis":
        """Run `program`, a file here, with these arguments; `files` and a whole `folder` go with every job."""
        paths = [Path(each).absolute() for each in (program, *files)]
        tree = Path(folder).absolute() if folder else None
        made = self._but(
            code={"folder": tree.name} if tree else None,
            executable=paths[0].name,
            arguments=[str(each) for each in arguments] or None,
            files=[each.name for each in paths[1:]] or None,
            environment=environment or None,
            container=container,
        )
        return made._with({path.name: path for path in (*paths, *([tree] if tree else []))})

    def query(self, wanted: str, where: str | None = None, lumis: str | Path | None = None) -> "Analysis":
        """Read a dataset, or of it the files `where` metadata is so; or what a query such as `/a//: run > 5` finds.

        `lumis`: a file here with the luminosity sections that are read.
        """
        try:
            source = {"dataset": names.lfn(wanted), "where": where}
        except ValueError:
            source = {"query": wanted, "where": where}
        mask = Path(lumis).absolute() if lumis else None
        made = self._but(input={**source, "lumis": mask.name if mask else None})
        return made._with({mask.name: mask}) if mask else made

    def split(self, by: str = "files", target: object = None, total: object = None) -> "Analysis":
        """Cut the input into jobs, as `split` of a payload says."""
        return self._but(split={"by": by, "target": target, "total": total})

    def outputs(self, *files: str, merge: bool = False, merge_with: str | Path | None = None) -> "Analysis":
        """Promise further files that every job leaves; `merge`: they are joined by a last job of the task.

        `merge_with`: a program here joins them.
        """
        program = Path(merge_with).absolute() if merge_with else None
        how = {"merge": "auto" if merge or program else None, "merge_with": program.name if program else None}
        added = [{"name": each, **how} for each in files]
        made = self._but(outputs=[*(self.spec.get("outputs") or []), *added])
        return made._with({program.name: program}) if program else made

    def requests(self, **wanted: object) -> "Analysis":
        """What one job needs: cpus, memory="2 GB", disk, walltime="8 h", gpus, arch, os, software."""
        return self._but(requests=wanted)

    def sweep(self, combine: str | None = None, **parameters: object) -> "Analysis":
        """Parameters that differ from job to job: a list of values each, or a range."""
        values = {
            name: {"from": value.start, "to": value[-1] if value else value.start - 1, "step": value.step}
            if isinstance(value, range)
            else value
            for name, value in parameters.items()
        }
        return self._but(sweep=values, combine=combine)

    def sites(self, allow: Sequence[str] = (), block: Sequence[str] = ()) -> "Analysis":
        """Where it may run: at the allowed sites only, never at the blocked ones."""
        return self._but(sites={"allow": allow or None, "block": block or None})

    def options(self, **keys: object) -> "Analysis":
        """Further keys of the document: jobs, group, priority, move, destination, token."""
        return self._but(**keys)

    def clone(self, name: str) -> "Analysis":
        """The same under another name."""
        return self._but(name=name)

    def with_code(self, code: str | Path) -> "Analysis":
        """The same with other code: a file in place of the program, or a folder that has newer files of these names."""
        path = Path(code).absolute()
        if not path.is_dir():
            return self._with({str(self.spec.get("executable")): path})
        newer = {name: path / name for name in _files_of(self.spec) if (path / name).exists()}
        if not newer:
            raise UserError(f"{path} has none of {', '.join(_files_of(self.spec))}, which this analysis runs.")
        return self._with(newer)

    def _but(self, **changes: object) -> "Analysis":
        return replace(self, spec=self.spec.but(**changes))

    def _with(self, code: Mapping[str, Path]) -> "Analysis":
        """Raises UserError where two files would have one name in the job."""
        return replace(self, code=tuple(sorted({**dict(self.code), **code}.items())))

    # Running

    def plan(self) -> Plan:
        """What running it would do. Raises UserError, or NothingFits with the reasons."""
        with self._folder() as folder:
            return self.session.router.plan(self.spec.text, spec.SOURCE, folder)

    def run(self) -> "TaskHandle":
        """Submit it as the user. Repeated after it was cut short, it goes on where it stopped."""
        router = self.session.router
        with self._folder() as folder:
            done = router.submit(router.plan(self.spec.text, spec.SOURCE, folder), folder)
        return TaskHandle(self.session, done.task.id)

    @contextmanager
    def _folder(self) -> Iterator[Path]:
        """A folder in which the files have the names that the document calls them."""
        payload = self.spec.payload()
        known = dict(self.code)
        wanted = {name: known.get(name, Path(name).absolute()) for name in _files_of(self.spec)}
        if missing := sorted(str(path) for path in wanted.values() if not path.exists()):
            raise UserError(f"Not found: {', '.join(missing)}. Say where the code is: analysis.with_code(FOLDER).")
        with TemporaryDirectory(prefix="glideroute-") as made:
            for name, path in wanted.items():
                packed = name == payload.folder and not path.is_dir()
                (Path(made) / (payload.bundle if packed else name)).symlink_to(path)
            yield Path(made)


@dataclass(frozen=True, repr=False)
class TaskHandle(_Shown):
    """An analysis that was submitted; made again from its id at any time, also from elsewhere."""

    session: Session = field(compare=False)
    id: str

    @property
    def analysis(self) -> Analysis:
        """What was submitted, with the copy of the code that its jobs run."""
        memory = self.session.router.memory
        task = memory.task(self.id)
        found = spec.parse(memory.document(task.id), task.id)
        return Analysis(self.session, found, _code_in(found, Path(task.directory) / "code"))

    def info(self) -> TaskStatus:
        """Where its jobs are."""
        return self.session.router.status(self.id)

    def why(self) -> list[BatchWhy]:
        """Why its jobs are where they are."""
        return self.session.router.why(self.id)

    def log(self, job: str, stream: str = "out") -> str:
        """What a job such as `0003` wrote to `out` or `err`. Raises NotFound while there is nothing."""
        return self.session.router.log(self.id, job, stream)

    def wait(self, timeout: float | None = None, progress: bool | Told = False, every: float = 1.0) -> TaskStatus:
        """Stay until nothing of it is left to do, looking `every` so many seconds; returns how it ended.

        `progress` shows a bar, or is told each look. Raises TemporaryError after `timeout` seconds: the task goes on.
        """
        end = None if timeout is None else monotonic() + timeout
        with nullcontext(progress) if callable(progress) else task_bar(progress) as tell:
            while True:
                found = self._look()
                if found is not None:
                    tell(found)
                    if found.done:
                        return found
                if end is not None and monotonic() >= end:
                    raise TemporaryError(f"{self.id} is not done after {timeout:g} s; it goes on. Wait for it again.")
                sleep(every)

    def _look(self) -> TaskStatus | None:
        try:
            return self.info()
        except TemporaryError:  # as while a schedd is restarted: the next look will tell
            return None

    def results(
        self, folder: str | Path | None = None, partial: bool = False, merge: bool = False, progress: bool = False
    ) -> Collected:
        """Copy its outputs to `folder`, each checked; what is there already is not copied again.

        `partial`: also while jobs are running, each job's outputs so far. `merge`: join those here, in this process.
        Raises TemporaryError while there is none.
        """
        found = self.session.router.outputs(self.id, partial)
        with download_bar(progress) as bar:
            target = Path(folder) if folder is not None else None
            return collected(found, target, wiring.reader(self.session.settings), merge, bar)

    def provenance(self, partial: bool = False, depth: int = 0) -> Provenance:
        """Where its outputs come from, as `Session.provenance` tells it of files.

        Raises TemporaryError while they are not complete; `partial`: of the jobs' own outputs so far.
        """
        found = self.session.router.outputs(self.id, partial)
        return self.session.provenance(*(each.file.lfn for each in found.files), depth=depth)

    def kill(self) -> int:
        """Remove its jobs; what is finished stays. Returns how many there were."""
        return self.session.router.kill(self.id)

    def retry(self) -> int:
        """Let its failed jobs run again. Returns how many."""
        return self.session.router.retry(self.id)

    def resubmit(self, code: str | Path | None = None) -> "TaskHandle":
        """Submit the same once more as a new task; `code`, a program or a folder, replaces what its jobs ran."""
        analysis = self.analysis
        return (analysis.with_code(code) if code is not None else analysis).run()

    def __repr__(self) -> str:
        """Its id, and how to ask for more."""
        return f"<Task {self.id}>"

    def _repr_html_(self) -> str:
        found = self.info()
        share = max(1, found.jobs)
        rows = [(state, count, f"{count / share:.0%}") for state, count in sorted(found.counts.items())]
        return notebook.table(f"{found.task.id} {found.task.payload.dataset}", ("state", "jobs", "share"), rows)


def _files_of(found: Spec) -> tuple[str, ...]:
    payload = found.payload()
    return (*payload.beside, payload.folder) if payload.folder else payload.beside


def _code_in(found: Spec, folder: Path) -> Code:
    payload = found.payload()
    # A task keeps a folder as it was sent, packed.
    packed = {payload.folder: payload.bundle} if payload.folder and not (folder / payload.folder).is_dir() else {}
    return tuple(sorted((name, folder / packed.get(name, name)) for name in _files_of(found)))
