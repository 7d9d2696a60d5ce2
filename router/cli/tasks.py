"""Commands on tasks that are submitted."""

import time
from collections import Counter
from collections.abc import Sequence
from itertools import zip_longest

import click
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from router import wiring
from router.cli.session import session, settings
from router.cli.show import COLOURS, console, foreign, json_option, plain, print_json, table, when
from router.cli.stages import retry_in_parts
from router.decide.share_wait import Outlook
from router.errors import RouterError, TemporaryError
from router.model.action import Advice
from router.model.answer import BatchWhy, Failure, TaskStatus
from router.model.fetch import FetchFailure
from router.model.job import JobState
from router.model.policy import POLICIES
from router.model.task import Shape
from router.model.transfer import StageOutCount, TransferState

MOST_ADVICE = 3
MOST_NAMES = 20
MOST_UNREAD = 5
STATES = ("waiting", "idle", "running", "held", "transferring", "finished", "removed")


@click.command()
@click.argument("task", required=False)
@click.option("--jobs", "show_jobs", is_flag=True, help="Also list the jobs one by one.")
@click.option("--all", "everyone", is_flag=True, help="List everyone's tasks, not only your own.")
@json_option
def status(task: str | None, show_jobs: bool, everyone: bool, as_json: bool) -> None:
    """Show tasks, or where the jobs of TASK (an id, the beginning of one, or a name) are."""
    with session() as router:
        if task is None:
            found = [router.status(each.id) for each in router.tasks(everyone)]
            print_json(found) if as_json else console().print(_tasks(found))
            return
        one = router.status(task)
        lines, ended = router.lines(task) if show_jobs else ([], [])
    if as_json:
        print_json({**plain(one), "done": one.done, "in_queue": lines, "ended": ended})
        return
    console().print(_one(one))
    if show_jobs:
        rows = table("job", "id", "state", "site", "sites", "why")
        for line in lines:
            rows.add_row(line.job, line.id, _coloured(line.state), line.site, " ".join(line.sites), line.reason)
        for job in ended:
            rows.add_row(job.job, f"{job.cluster}.{job.proc}", _coloured(job.state), job.site, "", job.reason)
        console().print(rows)


@click.command()
@click.argument("task")
@click.option("--every", default=1.0, show_default=True, help="Seconds between two looks.")
def watch(task: str, every: float) -> None:
    """Follow TASK until it is done; exit with 1 if jobs of it were removed."""
    with session() as router, Live(console=console(), auto_refresh=False) as live:
        while True:
            try:
                found = router.status(task)
                live.update(_one(found), refresh=True)
                if found.done:
                    break
            except TemporaryError as error:
                live.update(Text(str(error)), refresh=True)
            time.sleep(every)
    if not found.succeeded:
        kept = sum(each.outputs for each in found.stage_out if each.state is TransferState.FAILED)
        raise RouterError(
            f"{found.counts.get('removed', 0)} job(s) of {found.task.id} were removed, and {kept} output(s) could not "
            "be brought to their destination."
        )


@click.command()
@click.argument("wanted", metavar="TASK|JOB")
@json_option
def why(wanted: str, as_json: bool) -> None:
    """Say why the jobs of a task, or of an HTCondor id such as 12 or 12.0, are where they are."""
    with session() as router:
        found = router.why(wanted)
    expected = wiring.outlooks(settings(), _waiting(found))
    if as_json:
        print_json([{**plain(each), "fair_share": _of_fair_share(each, expected)} for each in found])
        return
    several = Counter(each.cluster for each in found)
    for each, after in zip_longest(found, found[1:]):
        console().print(_why(each, several[each.cluster] > 1))
        if after is None or after.cluster != each.cluster:
            console().print(_history(each), "")
    for told in expected:
        console().print(Text(f"Fair share, {told.submitter}: {told}"))


@click.command()
@click.argument("task")
@click.argument("job")
@click.option("--err", "stream", flag_value="err", help="Standard error instead of standard output.")
@click.option("--out", "stream", flag_value="out", default="out", hidden=True)
def logs(task: str, job: str, stream: str) -> None:
    """Show what JOB (a name such as 0003) of TASK wrote."""
    with session() as router:
        click.echo(router.log(task, job, stream), nl=False)


@click.command()
@click.argument("task")
@json_option
def kill(task: str, as_json: bool) -> None:
    """Remove the jobs of TASK; what is finished stays."""
    with session() as router:
        count = router.kill(task)
    print_json({"removed": count}) if as_json else click.echo(f"{count} job(s) removed.")


@click.command()
@click.argument("task", metavar="TASK|JOB")
@click.option("--elsewhere", is_flag=True, help="Send waiting and failed jobs to sites other than those they have.")
@click.option("--lost", "with_lost", is_flag=True, help="Also run finished jobs again whose outputs are gone.")
@click.option("--dry-run", is_flag=True, help="With --lost: only say which these are.")
@click.argument("job", required=False)
@click.option("--split", "into", type=click.IntRange(2, 10_000), help="Replace the failed JOB by so many smaller ones.")
@json_option
def retry(task: str, job: str | None, into: int | None, as_json: bool, **how: bool) -> None:
    """Let the failed (held) jobs of TASK run again, or with --elsewhere those of a JOB such as 12 or 12.0.

    With --split, give the work of one failed JOB of TASK, such as 0003, to several.
    """
    with_lost, dry_run = how["with_lost"], how["dry_run"]
    if (into is None) != (job is None) or (into and any(how.values())):
        raise click.UsageError("--split N and JOB go together, without --elsewhere, --lost and --dry-run.")
    if into and job:
        retry_in_parts(task, job, into, as_json)
        return
    if how["elsewhere"]:
        _send_elsewhere(task, with_lost or dry_run, as_json)
        return
    with session() as router:
        lost = router.lost(task, wiring.reader(settings()).has) if with_lost else ()
        count = 0 if dry_run else router.retry(task)
        clusters = router.make_again(task, lost) if with_lost and not dry_run else {}
    names = [job.job for job in lost]
    if as_json:
        print_json({"released": count} | ({"lost": names, "clusters": clusters} if with_lost else {}))
        return
    if not dry_run:
        click.echo(f"{count} job(s) released.")
    if with_lost:
        which = f": {', '.join(names[:MOST_NAMES])}{' …' if len(names) > MOST_NAMES else ''}" if names else ""
        click.echo(f"{len(names)} finished job(s) have lost their outputs{which}.")
    for batch, cluster in clusters.items():
        click.echo(f"Batch {batch} is in the queue as cluster {cluster}.")


def _send_elsewhere(wanted: str, mixed: bool, as_json: bool) -> None:
    if mixed:
        raise click.UsageError("--elsewhere goes alone: it makes no lost jobs again, and has no rehearsal.")
    with session() as router:
        count = router.send_elsewhere(wanted)
    words = f"{count} job(s) go elsewhere; `glideroute why {wanted}` says where."
    print_json({"elsewhere": count}) if as_json else click.echo(words)


def _coloured(state: str) -> Text:
    return Text(state, style=COLOURS.get(state, ""))


def _tasks(found: list[TaskStatus]) -> Table:
    rows = table("task", "owner", "submitted", "#jobs", *(f"#{state}" for state in STATES))
    for each in found:
        counts = [str(each.counts.get(state, 0) or "") for state in STATES]
        rows.add_row(each.task.id, each.task.owner, when(each.task.created), str(each.jobs), *counts)
    return rows


def _one(found: TaskStatus) -> Group:
    head = Text(f"{found.task.id}  {found.task.payload.dataset}  submitted {when(found.task.created)}", style="bold")
    rows = table("state", "#jobs", "#share", "where")
    for state in STATES:
        if count := found.counts.get(state, 0):
            where = {"running": found.running_at, "finished": found.finished_at}.get(state, {})
            at = ", ".join(f"{site} {number}" for site, number in sorted(where.items()))
            rows.add_row(_coloured(state), str(count), f"{count / max(1, found.jobs):.0%}", at)
    task = found.task.id
    tail = [Text(f"{found.moved} job(s) were moved; `glideroute why {task}` says why")] if found.moved else []
    if found.retried:
        tail.append(Text(f"{found.retried} job(s) were retried; `glideroute why {task}` says why"))
    if found.stage:
        tail.append(
            Text(f"split automatically, now at {found.stage}; `glideroute proceed --wait {task}` carries it on")
        )
    if found.lost:
        words = (
            f"{found.lost} finished job(s) have lost their outputs; `glideroute retry {task} --lost` makes them again"
        )
        tail.append(Text(words, style="red"))
    tail += [_stage_out(each) for each in found.stage_out if each.cause]
    failed = (_failure(each) for each in found.failures)
    return Group(head, rows, *tail, *failed, *(Text(problem, style="red") for problem in found.problems))


def _stage_out(found: StageOutCount) -> Text:
    """A line such as `2 output(s) could not be brought to …: quota: …; next try at 12:03:04`."""
    over = found.state is TransferState.FAILED
    later = "they stay where they were made" if over else f"next try at {when(found.due).partition(' ')[2]}"
    told = f"{found.outputs} output(s) could not be brought to {found.destination}: {found.cause}: {found.words}"
    return Text(f"{told}; {later}", style="red" if over else "yellow")


def _failure(found: Failure) -> Text:
    """A line such as `2 job(s) failed … (retry 1 of 3), at 12:03:04`."""
    if not found.remedy:
        tries = f" after {found.tries} retries" if found.tries else ""
        at = f" at {found.site}" if found.site else ""
        whose = f"whose fault: {found.fault}; the router has not looked at it yet"
        return Text(f"{found.jobs} job(s) held{at}{tries}: {found.words} ({whose})", style="red")
    # What is over now is due at the next pass.
    later = f", at {when(found.due).partition(' ')[2]}" if found.due > time.time() else ""
    return Text(f"{found.jobs} job(s) {found.remedy}{later}", style="yellow" if found.due else "red")


def _why(found: BatchWhy, several: bool) -> Group:
    """One part of the answer; where a cluster has `several`, with what its jobs ask for."""
    counts = ", ".join(f"{g.count} {g.state}" + (f" at {g.site}" if g.site else "") for g in found.groups)
    which = f"{found.batch} (cluster {found.cluster})" if found.batch else f"cluster {found.cluster}"
    title = f"{which}: {counts or 'nothing in the queue'}"
    title += f"; sites are chosen by policy {found.policy}" if found.policy != POLICIES[0] else ""
    title += f"; {_asked(found.shape)}" if several else ""
    verdicts = table("site", "verdict", "#score", "numbers")
    for verdict in found.choice.verdicts:
        if verdict.refusal:
            verdicts.add_row(verdict.site, Text(verdict.refusal.words, style="red"), "", "")
        else:
            numbers = "  ".join(f"{name} {_short(value)}" for name, value in verdict.terms)
            verdicts.add_row(verdict.site, Text("can run it", style="green"), f"{verdict.score:.2f}", numbers)
    advice = [Text(f"To start sooner: {_advice(each)}") for each in found.advice[:MOST_ADVICE]]
    failed = [_failure(each) for each in found.failures] + [_unread(each) for each in found.unread[:MOST_UNREAD]]
    copies = (Text(f"{each}.") for each in found.copies)
    return Group(Text(title, style="bold"), *failed, verdicts, *copies, *advice)


def _unread(found: FetchFailure) -> Text:
    """A line such as `2 copies of inputs could not be fetched from …: missing: it is not there; last at 12:03:04`."""
    told = f"{found.count} copy(ies) of inputs could not be fetched from {found.se}: {found.cause}: {found.words}"
    return Text.assemble(foreign(told), f"; last at {when(found.last).partition(' ')[2]}", style="yellow")


def _history(found: BatchWhy) -> Table:
    rows = table("when", "what", "#jobs", "why", title="Decisions")
    for record in found.history:
        rows.add_row(when(record.at), f"{record.kind} ({record.outcome})", str(record.jobs or ""), record.words)
    return rows


def _asked(shape: Shape) -> str:
    """What tells jobs of one cluster apart, in short."""
    wants = shape.requests
    told = [f"{wants.cpus} core(s), {wants.memory_mb:,} MB of memory, {wants.walltime_s:,} s"]
    told += [f"reads {shape.dataset}"] if shape.dataset else []
    told += [f"only at {', '.join(shape.allow)}"] if shape.allow else []
    told += [f"not at {', '.join(shape.block)}"] if shape.block else []
    return f"asks for {'; '.join(told)}"


def _waiting(found: Sequence[BatchWhy]) -> set[str]:
    """The submitters, as the negotiator names them, whose idle jobs are explained."""
    idle = [group for each in found for group in each.groups if group.state is JobState.IDLE]
    return {f"{group.group}.{group.owner}".lstrip(".") for group in idle}


def _of_fair_share(why: BatchWhy, expected: Sequence[Outlook]) -> list[object]:
    """What the submitters of a batch's idle jobs can expect, with the words that people read."""
    own = _waiting((why,))
    return [{**plain(each), "words": str(each)} for each in expected if each.submitter in own]


def _advice(advice: Advice) -> str:
    now = "never" if advice.now_s is None else f"in {advice.now_s / 60:.0f} min"
    return f"{advice.words} (the last job would start in {advice.then_s / 60:.0f} min, now {now})"


def _short(value: float) -> str:
    """A number without digits that say nothing."""
    return f"{value:.0f}" if abs(value) >= 10 else f"{value:.3g}"
