"""The ledger: what was asked for, what was decided and why, how jobs ended, what operators said of sites.

The pool is the truth of where a job is; the ledger remembers intent, reasons and history.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, case, func, insert, literal, select, tuple_, update

from router.errors import NotFound
from router.model import payload as payloads
from router.model.job import EndedJob, JobState
from router.model.merging import PARTIAL
from router.model.record import BatchRecord, SiteState
from router.model.site import Outcomes, Pace, SiteStatus
from router.model.task import MERGE_BATCH, Batch, Task
from router.model.world import TaskProgress
from router.store.additions import replaced_jobs
from router.store.bulk import chunks
from router.store.merging import is_partial, node_progress
from router.store.schema import (
    LOST,
    READ,
    UNREAD,
    UNUSABLE,
    Database,
    batch_inputs,
    batches,
    ended,
    history_read,
    site_seen,
    site_states,
    tasks,
    upsert,
)

SEEN_EVERY_S = 60.0
"""That a site has glideins is written down no oftener than this."""

VANISHED_S = 2 * SEEN_EVERY_S
"""Jobs that ask in vain so soon after glideins were seen saw them go."""


class Ledger:
    """Remembers tasks, their batches, how their jobs ended, and the sites' operator states."""

    def __init__(self, database: Database) -> None:
        """Keep the ledger in `database`."""
        self._db = database

    # Tasks

    def open_task(self, task: Task, text: str, digest: str, planned: Sequence[Batch], merge_jobs: int) -> None:
        """Remember a task and its planned batches before any of it is injected. All of it happens, or nothing."""
        with self._db.write() as connection:
            connection.execute(
                insert(tasks).values(
                    id=task.id,
                    owner=task.owner,
                    name=task.payload.name,
                    payload=text,
                    digest=digest,
                    directory=task.directory,
                    created=task.created,
                )
            )
            rows = [{"task": task.id, "key": batch.key, "jobs": len(batch.chunks)} for batch in planned]
            if merge_jobs:
                rows.append({"task": task.id, "key": MERGE_BATCH, "jobs": merge_jobs})
            connection.execute(insert(batches), rows)
            read = [
                {"task": task.id, "batch": batch.key, "lfn": lfn}
                for batch in planned
                for lfn in sorted({piece.located.file.lfn for chunk in batch.chunks for piece in chunk.pieces})
            ]
            if read:
                connection.execute(insert(batch_inputs), read)

    def incomplete_task(self, owner: str, digest: str) -> Task | None:
        """The owner's task of this payload whose injection never ended; None when there is none."""
        query = select(tasks).where(tasks.c.owner == owner, tasks.c.digest == digest, tasks.c.complete == 0)
        with self._db.read() as connection:
            row = connection.execute(query.order_by(tasks.c.created.desc()).limit(1)).first()
        return _task(row) if row else None

    def set_cluster(self, task: str, batch: str, cluster: int, jobs: int | None = None) -> None:
        """Remember the cluster that a batch became, and its number of jobs where that was not planned."""
        values = {"cluster": cluster} | ({} if jobs is None else {"jobs": jobs})
        with self._db.write() as connection:
            found = and_(batches.c.task == task, batches.c.key == batch)
            connection.execute(update(batches).where(found).values(values))

    def set_complete(self, task: str) -> None:
        """Remember that all of a task is injected."""
        with self._db.write() as connection:
            connection.execute(update(tasks).where(tasks.c.id == task).values(complete=1))

    def document(self, task: str) -> str:
        """The payload document of a task, as it was submitted."""
        with self._db.read() as connection:
            return str(connection.execute(select(tasks.c.payload).where(tasks.c.id == task)).scalar_one())

    def task(self, wanted: str) -> Task:
        """The task of an id, of the beginning of one id only, or the newest of a name. Raises NotFound."""
        wanted = wanted.replace("\0", "\ufffd")  # PostgreSQL has no text with a zero byte; no task is called so
        with self._db.read() as connection:
            if exact := connection.execute(select(tasks).where(tasks.c.id == wanted)).first():
                return _task(exact)
            named = connection.execute(
                select(tasks).where(tasks.c.name == wanted).order_by(tasks.c.created.desc()).limit(1)
            ).first()
            begun = connection.execute(
                select(tasks).where(tasks.c.id.startswith(wanted, autoescape=True)).limit(2)
            ).fetchall()
        row = named or (begun[0] if len(begun) == 1 else None)
        if row is None:
            more = (
                f"{len(begun)} or more tasks begin so; write more of its id."
                if begun
                else "`glideroute status` lists them."
            )
            raise NotFound(f"There is no task {wanted}. {more}")
        return _task(row)

    def tasks(self, owner: str = "", limit: int = 100) -> list[Task]:
        """The newest tasks, of one owner or of all."""
        query = select(tasks).order_by(tasks.c.created.desc()).limit(limit)
        if owner:
            query = query.where(tasks.c.owner == owner)
        with self._db.read() as connection:
            return [_task(row) for row in connection.execute(query)]

    def batches(self, task: str) -> list[BatchRecord]:
        """The batches of a task, the merge batch last."""
        query = select(batches).where(batches.c.task == task)
        with self._db.read() as connection:
            rows = [BatchRecord(row.task, row.key, row.jobs, row.cluster) for row in connection.execute(query)]
        return sorted(rows, key=lambda record: (record.key == MERGE_BATCH, len(record.key), record.key))

    # How jobs ended

    def record_ended(self, jobs: Iterable[EndedJob]) -> None:
        """Remember how jobs ended; saying it twice is saying it once."""
        if rows := [_ended_row(job) for job in jobs]:
            with self._db.write() as connection:
                _add_ended(connection, rows)

    def record_history(self, jobs: Sequence[EndedJob]) -> None:
        """Remember what the history told of jobs, newest first, and that it was read up to the first of them."""
        if not jobs:
            return
        row = {"id": 1, "cluster": jobs[0].cluster, "proc": jobs[0].proc}
        with self._db.write() as connection:
            _add_ended(connection, [_ended_row(job) for job in jobs])
            connection.execute(upsert(history_read).values(row).on_conflict_do_update(index_elements=["id"], set_=row))

    def history_read(self) -> tuple[int, int] | None:
        """The cluster and proc of the job up to which the history was read; None when it never was."""
        with self._db.read() as connection:
            found = connection.execute(select(history_read.c.cluster, history_read.c.proc)).first()
        return (found.cluster, found.proc) if found else None

    def ended(self, task: str) -> list[EndedJob]:
        """How the jobs of a task ended, by cluster and process; jobs of others that claim to be of it are none.

        Jobs that are made again have not ended; those whose work others took over do not count.
        """
        over = select(replaced_jobs.c.job).where(replaced_jobs.c.task == task, replaced_jobs.c.job == ended.c.job)
        theirs = and_(ended.c.task == task, ended.c.owner == tasks.c.owner)
        mine = and_(theirs, ended.c.report != LOST, ~over.exists())
        query = (
            select(ended).join(tasks, tasks.c.id == ended.c.task).where(mine).order_by(ended.c.cluster, ended.c.proc)
        )
        with self._db.read() as connection:
            return [ended_job(row) for row in connection.execute(query)]

    def unread_reports(self, limit: int = 1000) -> list[tuple[EndedJob, Task]]:
        """Jobs that ended well and whose report nobody has read, with their tasks."""
        unread = and_(ended.c.state == JobState.FINISHED, ended.c.report == UNREAD)
        query = select(ended).join(tasks, tasks.c.id == ended.c.task).where(unread).limit(limit)
        # Not in one query: both tables have an owner, and a job may claim to be of a task that is not its owner's.
        theirs = select(tasks).where(tasks.c.id.in_(select(ended.c.task).where(unread)))
        with self._db.read() as connection:
            known = {row.id: _task(row) for row in connection.execute(theirs)}
            return [(ended_job(row), known[row.task]) for row in connection.execute(query)]

    def set_report(self, job: EndedJob, usable: bool) -> None:
        """Remember that a job's report was read and its outputs registered, or that none can be used."""
        with self._db.write() as connection:
            found = and_(ended.c.cluster == job.cluster, ended.c.proc == job.proc)
            connection.execute(update(ended).where(found).values(report=READ if usable else UNUSABLE))

    def unread(self, task: str) -> int:
        """Jobs of a task that ended well and whose report nobody has read."""
        waits = and_(ended.c.task == task, ended.c.state == JobState.FINISHED, ended.c.report == UNREAD)
        query = select(func.count()).select_from(ended.join(tasks, tasks.c.id == ended.c.task))
        with self._db.read() as connection:
            return int(connection.execute(query.where(waits, ended.c.owner == tasks.c.owner)).scalar_one())

    def read(self, task: str) -> list[EndedJob]:
        """The jobs of a task that ended and whose report has been read, or was given up."""
        with self._db.read() as connection:
            query = select(ended.c.cluster, ended.c.proc).where(ended.c.task == task, ended.c.report != UNREAD)
            known = {(row.cluster, row.proc) for row in connection.execute(query)}
        return [job for job in self.ended(task) if (job.cluster, job.proc) in known]

    def make_again(self, task: str, key: str, jobs: Sequence[EndedJob]) -> None:
        """Count `jobs` of one batch as not ended, and give them to a batch `key` that is not injected yet."""
        batch, ids = jobs[0].batch, [(job.cluster, job.proc) for job in jobs]
        with self._db.write() as connection:
            for part in chunks(ids):
                found = tuple_(ended.c.cluster, ended.c.proc).in_(part)
                connection.execute(update(ended).where(found).values(report=LOST, batch=key))
            mine = and_(batches.c.task == task, batches.c.key == batch)
            if key == batch:
                connection.execute(update(batches).where(mine).values(cluster=None))
                return
            connection.execute(update(batches).where(mine).values(jobs=batches.c.jobs - len(jobs)))
            connection.execute(insert(batches).values(task=task, key=key, jobs=len(jobs)))
            same = and_(batch_inputs.c.task == task, batch_inputs.c.batch == batch)
            copied = select(batch_inputs.c.task, literal(key), batch_inputs.c.lfn).where(same)
            connection.execute(insert(batch_inputs).from_select(["task", "batch", "lfn"], copied))

    def to_make_again(self, task: str) -> list[EndedJob]:
        """The jobs that were counted as not ended, with the batch they were given to."""
        with self._db.read() as connection:
            query = select(ended).where(ended.c.task == task, ended.c.report == LOST)
            return [ended_job(row) for row in connection.execute(query.order_by(ended.c.cluster, ended.c.proc))]

    def outcomes(self, since: float) -> dict[str, Outcomes]:
        """How jobs ended at each site after `since`, seconds since the epoch."""
        good = func.sum(case((ended.c.state == JobState.FINISHED, 1), else_=0))
        query = (
            select(ended.c.site, good, func.count())
            .where(ended.c.ended >= since, ended.c.site != "", ended.c.state != JobState.REMOVED)
            .group_by(ended.c.site)
        )
        with self._db.read() as connection:
            return {site: Outcomes(fine, total - fine) for site, fine, total in connection.execute(query)}

    def paces(self, since: float, now: float) -> dict[str, Pace]:
        """How fast jobs ended at each site after `since`; sites not watched for as long again are left out."""
        recent = ended.c.ended >= since
        query = (
            select(
                ended.c.site,
                func.sum(case((recent, ended.c.cpus), else_=0)),
                func.avg(case((recent, ended.c.wall_s), else_=None)),
                func.min(ended.c.ended),
            )
            .where(ended.c.ended >= 2 * since - now, ended.c.site != "", ended.c.state == JobState.FINISHED)
            .group_by(ended.c.site)
        )
        with self._db.read() as connection:
            return {
                site: Pace(cores * 3600.0 / (now - since) if first < since else None, float(run or 0))
                for site, cores, run, first in connection.execute(query)
            }

    def silences(self, now: float) -> dict[str, float]:
        """Seconds that each site has shown no glidein although jobs asked for them."""
        with self._db.read() as connection:
            rows = connection.execute(select(site_seen).where(site_seen.c.asked > 0))
            return {row.site: now - max(row.seen, row.asked) for row in rows}

    def vanished(self) -> frozenset[str]:
        """The sites whose glideins went away while jobs asked for them, where none has come since."""
        fresh = site_seen.c.asked - site_seen.c.seen <= VANISHED_S
        query = select(site_seen.c.site).where(site_seen.c.asked > 0, site_seen.c.seen > 0, fresh)
        with self._db.read() as connection:
            return frozenset(connection.execute(query).scalars())

    def note_glideins(self, present: Iterable[str], asked: Iterable[str], now: float) -> None:
        """Remember which sites have glideins, and of which jobs ask for some; since when is kept."""
        here, wanted = set(present), set(asked)
        with self._db.read() as connection:
            known = {row.site: (row.seen, row.asked) for row in connection.execute(select(site_seen))}
        rows = []
        for site in sorted(here | wanted | set(known)):
            seen, since = known.get(site, (0.0, 0.0))
            fresh = (now if site in here and now > seen + SEEN_EVERY_S else seen, 0.0)
            if site in wanted and site not in here:
                fresh = (seen, since or now)
            if fresh != known.get(site):
                rows.append({"site": site, "seen": fresh[0], "asked": fresh[1]})
        if rows:
            with self._db.write() as connection:
                statement = upsert(site_seen)
                told = {name: statement.excluded[name] for name in ("seen", "asked")}
                connection.execute(statement.on_conflict_do_update(index_elements=["site"], set_=told), rows)

    def progress(self) -> tuple[TaskProgress, ...]:
        """How far each task is whose merge job is injected and has not ended."""
        with self._db.read() as connection:
            last = [TaskProgress(*row) for row in connection.execute(_PROGRESS)]
            return (*node_progress(connection), *last)

    # Sites

    def site_states(self) -> dict[str, SiteState]:
        """What operators said of sites, by site."""
        with self._db.read() as connection:
            return {
                row.site: SiteState(row.site, SiteStatus(row.status), row.reason, row.by, row.at)
                for row in connection.execute(select(site_states))
            }

    def set_site_state(self, state: SiteState) -> None:
        """Remember what an operator says of a site."""
        row = {
            "site": state.site,
            "status": str(state.status),
            "reason": state.reason,
            "by": state.by,
            "at": state.at,
        }
        with self._db.write() as connection:
            connection.execute(upsert(site_states).values(row).on_conflict_do_update(index_elements=["site"], set_=row))


def _progress() -> Select[Any]:
    """How many jobs it waits for and how many of them are done, of each last merge job that has not ended."""
    merge = batches.alias("merge")
    expected = (
        select(func.coalesce(func.sum(batches.c.jobs), 0))
        .where(batches.c.task == merge.c.task, batches.c.key != MERGE_BATCH, ~is_partial())
        .scalar_subquery()
    )
    asked = ended.c.batch.like(f"{PARTIAL}%-%")
    finished = (
        select(func.count())
        .select_from(ended)
        .where(ended.c.task == merge.c.task, ended.c.batch != MERGE_BATCH, ended.c.report == READ, ~asked)
        .scalar_subquery()
    )
    over = select(ended.c.cluster).where(ended.c.cluster == merge.c.cluster).exists()
    return select(merge.c.task, expected, finished, merge.c.cluster).where(
        merge.c.key == MERGE_BATCH, merge.c.cluster.is_not(None), ~over
    )


_PROGRESS = _progress()
"""Made once: every pass asks."""


def _task(row: Row[Any]) -> Task:
    return Task(row.id, row.owner, payloads.parse(row.payload, row.id), row.directory, row.created)


def _ended_row(job: EndedJob) -> dict[str, object]:
    return {
        "cluster": job.cluster,
        "proc": job.proc,
        "task": job.task,
        "batch": job.batch,
        "job": job.job,
        "owner": job.owner,
        "state": str(job.state),
        "exit_code": job.exit_code,
        "site": job.site,
        "ended": job.ended,
        "wall_s": job.wall_s,
        "reason": job.reason,
        "cpus": job.cpus,
    }


def _add_ended(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    statement = upsert(ended)
    told = {name: statement.excluded[name] for name in rows[0] if name not in ("cluster", "proc")}
    kept = ended.c.report != LOST
    connection.execute(statement.on_conflict_do_update(index_elements=["cluster", "proc"], set_=told, where=kept), rows)


def ended_job(row: Row[Any]) -> EndedJob:
    """How a job ended, from its row."""
    return EndedJob(
        row.cluster,
        row.proc,
        row.task,
        row.batch,
        row.job,
        row.owner,
        JobState(row.state),
        row.exit_code,
        row.site,
        row.ended,
        row.wall_s,
        row.reason,
        row.cpus,
    )
