"""`glideroute results`: a task's outputs, whole or as far as they are there."""

from pathlib import Path

import click

from router import wiring
from router.cli.session import session, settings
from router.cli.show import json_option, print_json
from router.progress import download_bar
from router.render.quantities import size
from router.services.results import Collected, collected


@click.command()
@click.argument("task")
@click.option("--to", "folder", type=click.Path(file_okay=False, path_type=Path), help="Where to put them.")
@click.option("--partial", is_flag=True, help="Get the jobs' own outputs, as many as there are.")
@click.option("--merge", is_flag=True, help="Join the jobs' outputs here.")
@json_option
def results(task: str, folder: Path | None, partial: bool, merge: bool, as_json: bool) -> None:
    """Get the outputs of TASK: the merged ones, and every job's of what is not merged.

    Every file is checked. What is there and right is not copied again, so that the command may be repeated.
    """
    with session() as router, download_bar() as bar:
        got = collected(router.outputs(task, partial), folder, wiring.reader(settings()), merge, bar)
    if as_json:
        told = {"merged": got.merged, "files": got.files, "joined": got.joined, "missing": got.missing}
        print_json({"task": got.task, **told})
        return
    if got.missing:
        click.echo(f"{got.missing} job(s) of {got.task} have left nothing yet; this is a part.", err=True)
    _tell(got)


def _tell(got: Collected) -> None:
    for path in (*got.joined, *(() if got.joined else got.files)):
        click.echo(f"{path}  {size(path.stat().st_size)}")
