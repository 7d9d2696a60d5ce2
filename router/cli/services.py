"""`glideroute data`: data services of experiments, and copies of datasets that were made because jobs waited."""

import click

from router.cli.group import Group
from router.cli.session import session
from router.cli.show import console, foreign, json_option, plain, print_json, table, when
from router.render.quantities import size


@click.group(cls=Group)
def data() -> None:
    """Show data services and copies made for waiting jobs; hand services outputs."""


@data.command()
@json_option
def services(as_json: bool) -> None:
    """Show the data services, and how each answered last for every dataset that it was asked for."""
    with session() as router:
        known = [each.settings for each in router.services.sources] if router.services else []
        found = list(router.services.memory.answered().values()) if router.services else []
    if as_json:
        told = [{"name": each.name, "plugin": each.plugin, "prefix": each.prefix} for each in known]
        print_json({"services": told, "answers": found})
        return
    rows = table("service", "names below", "dataset", "#files", "#size", "told", "fault")
    for service in known:
        mine = [each for each in found if each.service == service.name]
        if not mine:
            rows.add_row(service.name, service.prefix, "", "", "", "", "")
        for each in mine:
            counts = (f"{each.files:,}", size(each.bytes), when(each.answered))
            rows.add_row(service.name, service.prefix, each.dataset, *counts, foreign(each.words))
    console().print(rows)


@data.command()
@click.argument("dataset", default="")
@json_option
def placed(dataset: str, as_json: bool) -> None:
    """Show the copies of DATASET, or of all datasets, that were made because jobs waited for them, and why."""
    with session() as router:
        found = router.memory.placements(dataset)
    if as_json:
        print_json([{**plain(each), "state": each.state} for each in found])
        return
    rows = table("dataset", "storage element", "#size", "copy", "decided", "last used", "why")
    for each in found:
        rows.add_row(
            each.dataset, each.se, size(each.bytes), each.state, when(each.asked), when(each.used), foreign(each.words)
        )
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
