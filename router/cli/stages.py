"""Commands that add jobs to a task which is submitted already."""

import time

import click

from router.api import Router
from router.cli.session import session
from router.cli.show import json_option, print_json
from router.errors import RouterError, TemporaryError
from router.model.answer import Proceeded

SOON_S, SLOWER = 1.0, 1.5
"""Seconds to the next look after a change, and how many times longer each further pause is."""


@click.command()
@click.argument("task")
@click.option("--wait", is_flag=True, help="Go on until no more jobs will be added.")
@click.option("--every", default=30.0, show_default=True, help="With --wait: seconds between two looks, at most.")
@json_option
def proceed(task: str, wait: bool, every: float, as_json: bool) -> None:
    """Carry the automatic splitting of TASK on: the jobs that its probes, or its failed jobs, call for."""
    with session() as router:
        found = carry_on(router, task, every, as_json) if wait else router.proceed(task)
    print_json(found) if as_json else _tell(found)
    if found.stage == "failed":
        raise RouterError(f"{found.task}: {found.words}.")


def carry_on(router: Router, task: str, every: float, quiet: bool = False) -> Proceeded:
    """Proceed until no more jobs will be added; each step is told once.

    Looks are `every` seconds apart at most, and less after something has changed.
    """
    told, pause = "", SOON_S
    while True:
        try:
            found = router.next_stage(task)
            if found.due:
                found = router.proceed(task)
            if not found.open:
                return found
            pause = min(pause * SLOWER, every) if found.words == told else min(SOON_S, every)
            if found.words != told and not quiet:
                _tell(found)
            told = found.words
        except TemporaryError as error:
            click.echo(str(error), err=True)
        time.sleep(pause)


def _tell(found: Proceeded) -> None:
    added = f"; injected {', '.join(f'{batch} (cluster {cluster})' for batch, cluster in found.clusters)}"
    click.echo(f"{found.task} is at {found.stage}: {found.words}{added if found.clusters else ''}")


def retry_in_parts(task: str, job: str, into: int, as_json: bool) -> None:
    """Replace a failed job by smaller ones, and say what they are."""
    with session() as router:
        clusters = router.split_again(task, job, into)
    if as_json:
        print_json({"replaced": job, "clusters": clusters})
        return
    for batch, cluster in clusters.items():
        click.echo(f"Job {job} is replaced by those of batch {batch}, cluster {cluster}.")
