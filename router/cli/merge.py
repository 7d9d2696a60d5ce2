"""`glideroute merge`: what is there of a task's outputs, joined by jobs near the files."""

import time
from collections.abc import Sequence

import click

from router.api import Router
from router.cli.session import session
from router.cli.show import json_option, print_json
from router.errors import RouterError, TemporaryError
from router.model.answer import PartialMerge
from router.model.job import JobState

EVERY_S = 3.0


@click.command()
@click.argument("task")
@click.option("--output", "outputs", multiple=True, help="Only this output; may be given several times.")
@click.option("--wait", is_flag=True, help="Stay until the merged files are there.")
@click.option("--dry-run", is_flag=True, help="Say what would be joined, and inject nothing.")
@json_option
def merge(task: str, outputs: tuple[str, ...], wait: bool, dry_run: bool, as_json: bool) -> None:
    """Have jobs merge what is there of TASK's outputs now, near the files.

    The task's own merge job waits for all parts as before. The same files are joined once, however often this is asked.
    """
    with session() as router:
        found = router.merge_plan(task, outputs) if dry_run else router.merge_now(task, outputs)
        if not as_json:
            _tell(found, dry_run)
        if wait and not dry_run:
            _wait(router, found)
    if as_json:
        print_json(found)
    elif wait and not dry_run:
        for each in found:
            click.echo(f"{each.lfn} is there; `glideroute get {each.lfn}` copies it here.")


def _tell(found: Sequence[PartialMerge], dry_run: bool) -> None:
    for each in found:
        missing = f", {each.missing:,} are missing" if each.missing else ""
        if dry_run and not each.cluster:
            how = "nothing is injected"
        else:
            how = f"cluster {each.cluster}" if each.new else f"cluster {each.cluster} does so already"
        click.echo(f"{each.parts:,} file(s) of {each.output} into {each.lfn}{missing}; {how}")


def _wait(router: Router, found: Sequence[PartialMerge]) -> None:
    """Return when all files are there. Raises RouterError where a merge job failed, or was removed."""
    told = ""
    while True:
        try:
            there = {each.file.lfn for each in router.catalogue.files([each.lfn for each in found])}
            open_ = [each for each in found if each.lfn not in there]
            if not open_:
                return
            _refuse_failed(router, open_)
        except TemporaryError as error:
            if str(error) != told:
                told = str(error)
                click.echo(told, err=True)
        time.sleep(EVERY_S)


def _refuse_failed(router: Router, open_: Sequence[PartialMerge]) -> None:
    clusters = {each.cluster for each in open_}
    lines, ended = router.lines(open_[0].task)
    for line in lines:
        if line.cluster in clusters and line.given_up:
            raise RouterError(f"The merge job {line.id} failed: {line.reason} `glideroute logs {open_[0].task} "
                              f"{line.job} --err` shows more; `glideroute retry` lets it run again.")  # fmt: skip
    for job in ended:
        if job.cluster in clusters and job.state is JobState.REMOVED:
            raise RouterError(f"The merge job {job.cluster}.{job.proc} was removed. Ask for the merge again.")
