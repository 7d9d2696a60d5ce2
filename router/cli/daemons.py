"""The commands that run daemons, and the embedded pool that runs them all."""

import logging
import sys

import click

from router import wiring
from router.cli.pool import pool_group
from router.cli.session import settings
from router.cli.show import json_option, plain, print_json
from router.loops.runner import Health, run
from router.metrics import serve
from router.resources import folder

pool = pool_group(folder("schedd_config"), wiring.daemons)


@click.group()
def router() -> None:
    """Run the router."""


@router.command("run")
@click.option("--once", is_flag=True, help="Do one pass, print what was done, and end.")
@json_option
def run_router(once: bool, as_json: bool) -> None:
    """Place jobs and keep placing them; runs in the foreground until SIGTERM."""
    _log()
    known = settings()
    loop = wiring.route(known)
    if once:
        done = loop.step()
        if as_json:
            print_json([{"action": type(action).__name__, **plain(action)} for action in done])
        else:
            click.echo(f"{len(done)} action(s)")
        return
    health = Health()
    serve("router", known, health, loop)
    run(loop.step, known.router.interval_s, health)


@click.group()
def factory() -> None:
    """Run the factory that starts glideins."""


@factory.command("run")
@click.option("--once", is_flag=True, help="Do one pass, print what was done, and end.")
@json_option
def run_factory(once: bool, as_json: bool) -> None:
    """Start glideins where jobs ask for them; runs in the foreground until SIGTERM."""
    _log()
    known = settings()
    loop = wiring.pilots(known)
    if once:
        done = loop.step()
        if as_json:
            print_json([{"action": type(action).__name__, **plain(action)} for action in done])
        else:
            click.echo(f"{len(done)} action(s)")
        return
    health = Health()
    serve("factory", known, health, loop)
    run(loop.step, known.factory.interval_s, health)


def _log() -> None:
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
