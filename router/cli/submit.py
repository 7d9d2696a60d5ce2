"""`glideroute submit`: payload documents, and ordinary condor_submit files."""

from pathlib import Path

import click
from rich.console import Group
from rich.text import Text

from router.cli.session import session, settings
from router.cli.show import console, json_option, plain, print_json, table
from router.cli.stages import carry_on
from router.cli.submitfile import dry_run_file, submit_file
from router.errors import UserError
from router.model.answer import Estimate, Plan, Submitted
from router.model.task import STEWARD_BATCH
from router.render.quantities import size

EVERY_S = 30.0
"""Between two looks at a task that is split automatically."""
PAYLOADS = (".yaml", ".yml")


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Show what would be submitted and where it could run; submit nothing.")
@click.option("--wait", is_flag=True, help="Of an automatic split: stay until no more jobs will be added.")
@json_option
def submit(file: Path, dry_run: bool, wait: bool, as_json: bool) -> None:
    """Submit FILE: a payload (.yaml), or a condor_submit file.

    Submitting the same payload again after it was cut short adds only what is missing.
    """
    if not file.is_file():
        raise UserError(f"There is no file {file}.")
    if file.suffix not in PAYLOADS:
        (dry_run_file if dry_run else submit_file)(settings(), file, as_json)
        return
    try:
        text = file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file} cannot be read: {error}.") from None
    with session() as router:
        plan = router.plan(text, str(file), file.resolve().parent)
        if dry_run:
            estimate = router.estimate(plan, file.resolve().parent)
            print_json(_plain(plan, estimate)) if as_json else console().print(_planned(plan, estimate))
            return
        done = router.submit(plan, file.resolve().parent, lambda words: click.echo(words, err=True), wait)
        if wait and plan.work:
            carry_on(router, done.task.id, EVERY_S, as_json)
    if as_json:
        print_json({"task": done.task.id, "resumed": done.resumed, "clusters": dict(done.clusters)})
        return
    _tell(plan, done, wait)


def _tell(plan: Plan, done: Submitted, wait: bool) -> None:
    again = ", taking up where an earlier submission stopped" if done.resumed else ""
    click.echo(f"{done.task.id}: {plan.jobs} job(s) in {len(plan.batches)} batch(es){again}")
    if steward := dict(done.clusters).get(STEWARD_BATCH):
        click.echo(f"These are probes; your job {steward}.0 on the access point adds the others by what they measure.")
    elif plan.work and not wait:
        click.echo(f"These are probes. When they have ended: glideroute proceed --wait {done.task.id}")
    click.echo(f"Follow it with: glideroute watch {done.task.id}")


def _plain(plan: Plan, estimate: Estimate) -> dict[str, object]:
    return {
        "payload": plan.payload.name,
        "jobs": plan.jobs,
        "files": len(plan.dataset.files) if plan.dataset else 0,
        "files_offered": plan.offered,
        "selection": plan.payload.selection,
        "notes": plan.notes,
        "estimate": plain(estimate) | {"sites": _sites(plan)},
        "batches": [
            {
                "batch": planned.batch.key,
                "jobs": len(planned.batch.chunks),
                "input_bytes": planned.shape.inputs.size,
                "sites": planned.sites,
                "verdicts": plain(planned.choice.verdicts),
            }
            for planned in plan.batches
        ],
    }


def _sites(plan: Plan) -> list[str]:
    return sorted({site for planned in plan.batches for site in planned.sites})


def _estimated(plan: Plan, found: Estimate) -> Text:
    """A line such as `about 3.1 h of jobs, the longest 0.4 h, at 2 sites; reads 3 GB, …`."""
    hours = f"{found.hours:.3g} h of jobs, the longest {found.longest_h:.2g} h, at {len(_sites(plan))} site(s)"
    told = [f"reads {size(found.input_bytes)}"] if found.input_bytes else []
    if found.output_bytes is not None:
        told.append(f"writes {size(found.output_bytes)}")
    source = f"from {found.measured_jobs:,} job(s) of this program before"
    if not found.measured_jobs:
        return Text("; ".join([f"at most {hours}", *told, "the program has not run before"]))
    return Text("; ".join([f"about {hours}", *told, source]))


def _planned(plan: Plan, estimate: Estimate) -> Group:
    rows = table("batch", "#jobs", "#input", "would go to", "not to")
    for each in plan.batches:
        refused = [f"{v.site} {v.refusal.words}" for v in each.choice.verdicts if v.refusal]
        sites = ", ".join(each.sites) or "nowhere now; it would wait"
        amount = size(each.shape.inputs.size)
        rows.add_row(each.batch.key, str(len(each.batch.chunks)), amount, sites, "; ".join(refused))
    head = Text(f"{plan.payload.name}: {plan.jobs} job(s); nothing is submitted", style="bold")
    return Group(head, *_read(plan), _estimated(plan, estimate), rows)


def _read(plan: Plan) -> list[Text]:
    """What is read, where files or events are chosen."""
    payload, told = plan.payload, []
    if plan.dataset and payload.search:
        offered = f" of {plan.offered:,}" if plan.offered else ""
        told.append(Text(f"reads {len(plan.dataset.files):,}{offered} file(s) of {plan.dataset.name}"))
    told.extend(Text(note) for note in plan.notes)
    if payload.selection:
        told.append(Text(f"events are for the program to select: {payload.selection}"))
    return told
