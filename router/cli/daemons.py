"""The commands that run daemons, and the embedded pool that runs them all."""

import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import click

from router import wiring
from router.cli.pool import pool_group
from router.cli.session import settings
from router.cli.show import json_option, plain, print_json
from router.decide.reconcile import decide
from router.loops.pilots import Pilots
from router.loops.route import Route, words_of
from router.loops.runner import Health, run, until_stopped
from router.metrics import serve
from router.model.action import Action, PilotAction, StartGlideins, StopGlideins
from router.resources import folder
from router.settings import Settings
from router.store.worlds import read

pool = pool_group(folder("schedd_config"), wiring.daemons)


@click.group()
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
@json_option
def replay(file: Path, as_json: bool) -> None:
    """Decide again in the world saved in FILE (below worlds/ in glideroute's home), and show what comes out.

    Nothing is changed; no pool is needed.
    """
    world = read(file)
    _show(list(decide(world, settings().broker)), as_json)


@click.group()
def factory() -> None:
    """Run the factory that starts glideins."""


@factory.command("run")
@click.option("--once", is_flag=True, help="Do one pass, print what was done, and end.")
@json_option
def run_factory(once: bool, as_json: bool) -> None:
    """Start glideins where jobs ask for them; runs in the foreground until SIGTERM."""
    _run("factory", wiring.pilots, once, as_json)


def _run(daemon: str, build: Callable[[Settings], Route | Pilots], once: bool, as_json: bool) -> None:
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    with until_stopped():
        known = settings()
        loop = build(known)
        if once:
            _show(loop.step(), as_json)
            return
        health = Health()
        serve(daemon, known, health, loop)
        run(loop.step, (known.router if daemon == "router" else known.factory).interval_s, health)


def _show(done: Sequence[Action | PilotAction], as_json: bool) -> None:
    if as_json:
        print_json([{"action": type(action).__name__, **plain(action)} for action in done])
    else:
        for action in done:
            click.echo(f"{type(action).__name__.lower()}: {said(action)}")
        click.echo(f"{len(done)} action(s)")


def said(action: Action | PilotAction) -> str:
    """What an action says, in a line."""
    if isinstance(action, StartGlideins | StopGlideins):
        return f"{action.entry}: {action.words}"
    return f"cluster {action.cluster}: {words_of(action)}"
