"""Commands that add jobs to a task which is submitted already."""

import click

from router.cli.session import session
from router.cli.show import print_json


def retry_in_parts(task: str, job: str, into: int, as_json: bool) -> None:
    """Replace a failed job by smaller ones, and say what they are."""
    with session() as router:
        clusters = router.split_again(task, job, into)
    if as_json:
        print_json({"replaced": job, "clusters": clusters})
        return
    for batch, cluster in clusters.items():
        click.echo(f"Job {job} is replaced by those of batch {batch}, cluster {cluster}.")
