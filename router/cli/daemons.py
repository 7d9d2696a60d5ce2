"""The commands that run daemons, and the embedded pool that runs them all."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import click

from router import wiring
from router.cli.group import Group
from router.cli.pool import pool_group
from router.cli.session import session, settings
from router.cli.show import console, foreign, json_option, plain, print_json, table, when
from router.decide.policies import check, decide
from router.decide.retry import treat
from router.errors import LeaseLost
from router.loops.counts import words_of
from router.loops.pilots import Pilots
from router.loops.route import Route
from router.loops.runner import Health, run, until_stopped
from router.loops.stageout import StageOut
from router.metrics import serve
from router.model.action import Action, PilotAction, Place, StartGlideins, StopGlideins
from router.model.policy import POLICIES
from router.model.transfer import Clear, Copy, GiveUp, Look, Recall, Send, StageOutAction
from router.redact import set_up_log
from router.resources import folder
from router.settings import Settings
from router.store.worlds import read

pool = pool_group(folder("schedd_config"), wiring.daemons)


@click.group(cls=Group)
def router() -> None:
    """Run the router."""


@router.command("run")
@click.option("--once", is_flag=True, help="Do one pass, print what was done, and end.")
@json_option
def run_router(once: bool, as_json: bool) -> None:
    """Place jobs and keep placing them; runs in the foreground until SIGTERM."""
    _run("router", wiring.route, once, as_json)


@router.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--policy", type=click.Choice(POLICIES), help="Show beside it what this policy would do.")
@click.option("--settings", "present", is_flag=True, help="With the thresholds of now instead of those of then.")
@json_option
def replay(file: Path, policy: str | None, present: bool, as_json: bool) -> None:
    """Decide again in the world saved in FILE (below worlds/ in glideroute's home), and show what comes out.

    Nothing is changed; no pool is needed.
    """
    saved, known = read(file), settings()
    used = saved.policy if saved.policy and not present else known.broker
    done = [*decide(saved.world, used), *treat(saved.world, known.retry)]
    if policy is None:
        _show(done, as_json)
        return
    other = replace(used, name=policy)
    check(other)
    _compare({used.name: done, policy: list(decide(saved.world, other))}, as_json)


@click.group(cls=Group)
def factory() -> None:
    """Run the factory that starts glideins."""


@factory.command("run")
@click.option("--once", is_flag=True, help="Do one pass, print what was done, and end.")
@json_option
def run_factory(once: bool, as_json: bool) -> None:
    """Start glideins where jobs ask for them; runs in the foreground until SIGTERM."""
    _run("factory", wiring.pilots, once, as_json)


@click.group(cls=Group)
def stageout() -> None:
    """Bring outputs to the destinations their owners named."""


@stageout.command("run")
@click.option("--once", is_flag=True, help="Do one pass, print what was done, and end.")
@json_option
def run_stageout(once: bool, as_json: bool) -> None:
    """Copy outputs that are due, verify and register them; runs in the foreground until SIGTERM."""
    _run("stageout", wiring.stageout, once, as_json)


@stageout.command("list")
@click.argument("task", required=False, default="")
@json_option
def list_transfers(task: str, as_json: bool) -> None:
    """Show how far outputs are: those of TASK (its whole id), or of all tasks."""
    with session() as router:
        found = router.memory.transfer_counts(router.memory.task(task).id if task else "")
    if as_json:
        print_json(found)
        return
    rows = table("destination", "state", "#outputs", "cause", "why")
    for each in found:
        rows.add_row(each.destination, str(each.state), str(each.outputs), each.cause, each.words)
    console().print(rows)


@stageout.command("destinations")
@json_option
def list_destinations(as_json: bool) -> None:
    """Show to which storage elements outputs can be written, as the agent's tests say, and how copies to them go."""
    with session() as router:
        tests, copies = router.memory.write_tests(), router.memory.destinations()
    names = sorted({*tests, *copies})
    if as_json:
        print_json([{"se": se, "test": tests.get(se), "copies": copies.get(se)} for se in names])
        return
    rows = table("storage element", "outputs", "since", "#took [s]", "#failed copies", "why")
    for se in names:
        test, gone = tests.get(se), copies.get(se)
        can = ("not tested" if test is None else test.cause or "can be written", when(test.since if test else 0))
        failed, words = (gone.streak, gone.words) if gone else (0, "")
        took = f"{test.took_s:.2f}" if test else ""
        rows.add_row(se, *can, took, str(failed), foreign((test.words if test else "") or (words if failed else "")))
    console().print(rows)


@stageout.command("retry")
@click.argument("task")
@json_option
def retry_transfers(task: str, as_json: bool) -> None:
    """Try the outputs of TASK that failed again, and those that wait at once."""
    with session() as router:
        count = router.retry_stageout(task)
    print_json({"outputs": count}) if as_json else click.echo(f"{count} output(s) are tried again.")


def _run(daemon: str, build: Callable[[Settings], Route | Pilots | StageOut], once: bool, as_json: bool) -> None:
    set_up_log()
    with until_stopped():
        known = settings()
        loop = build(known)
        try:
            if once:
                _show(_once(daemon, loop), as_json)
                return
            health = Health()
            serve(daemon, known, health, loop)
            run(loop.step, known.loop(daemon).interval_s, health)
        finally:
            loop.leader.resign()


def _once(daemon: str, loop: Route | Pilots | StageOut) -> Sequence[Action | PilotAction | StageOutAction]:
    if not loop.leader.lead():
        raise LeaseLost(f"Another {daemon} is at work. End it first, or let it do the work.")
    return loop.step()


def _compare(done: dict[str, list[Action]], as_json: bool) -> None:
    """Show what policies do in the same world, a row for each cluster."""
    if as_json:
        print_json({name: [{"action": type(action).__name__, **plain(action)} for action in each]
                    for name, each in done.items()})  # fmt: skip
        return
    clusters = sorted({action.cluster for each in done.values() for action in each})
    rows = table("cluster", *done)
    for cluster in clusters:
        told = (" / ".join(_brief(a) for a in each if a.cluster == cluster) or "as it is" for each in done.values())
        rows.add_row(str(cluster), *told)
    console().print(rows)
    click.echo(", ".join(f"{name}: {len(each)} action(s)" for name, each in done.items()))


def _brief(action: Action) -> str:
    """An action in a few words."""
    if isinstance(action, Place):
        return f"{action.count} to {','.join(action.decision.sites)} ({action.decision.tag})"
    return type(action).__name__.lower()


def _show(done: Sequence[Action | PilotAction | StageOutAction], as_json: bool) -> None:
    if as_json:
        print_json([{"action": type(action).__name__, **plain(action)} for action in done])
    else:
        for action in done:
            click.echo(f"{type(action).__name__.lower()}: {said(action)}")
        click.echo(f"{len(done)} action(s)")


def said(action: Action | PilotAction | StageOutAction) -> str:
    """What an action says, in a line."""
    if isinstance(action, Copy | Clear | GiveUp):
        return f"{action.transfer.file.lfn} from {action.transfer.source} to {action.transfer.destination}"
    if isinstance(action, Send | Look | Recall):
        return f"{len(action.transfers)} output(s) to {action.transfers[0].destination} as {action.bulk}"
    if isinstance(action, StartGlideins | StopGlideins):
        return f"{action.entry}: {action.words}"
    return f"cluster {action.cluster}: {words_of(action)}"
