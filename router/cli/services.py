"""`glideroute data`: data services of experiments."""

import click

from router import wiring
from router.cli.group import Group
from router.cli.session import session, settings
from router.cli.show import console, foreign, json_option, print_json, size, table, when


@click.group(cls=Group)
def data() -> None:
    """Show data services, and hand them outputs."""


@data.command()
@json_option
def services(as_json: bool) -> None:
    """Show the data services, and how each answered last for every dataset that it was asked for."""
    known = settings()
    memory = wiring.store(known)
    try:
        found = list(memory.answered().values())
    finally:
        memory.close()
    if as_json:
        told = [{"name": each.name, "plugin": each.plugin, "prefix": each.prefix} for each in known.services]
        print_json({"services": told, "answers": found})
        return
    rows = table("service", "names below", "dataset", "#files", "#size", "told", "fault")
    for service in known.services:
        mine = [each for each in found if each.service == service.name]
        if not mine:
            rows.add_row(service.name, service.prefix, "", "", "", "", "")
        for each in mine:
            counts = (f"{each.files:,}", size(each.bytes), when(each.answered))
            rows.add_row(service.name, service.prefix, each.dataset, *counts, foreign(each.words))
    console().print(rows)


@data.command()
@click.argument("task")
@click.argument("dataset")
@click.option("--partial", is_flag=True, help="Hand over what there is, though jobs are missing.")
@json_option
def publish(task: str, dataset: str, partial: bool, as_json: bool) -> None:
    """Hand the outputs of TASK to the data service that answers for DATASET, which is made where it is missing.

    They stay where they are. It can be repeated: what the service has is not added again.
    """
    with session() as router:
        count = router.publish(task, dataset, partial)
    print_json({"dataset": dataset, "files": count}) if as_json else click.echo(
        f"{dataset} has {count} file(s) of {task}."
    )
