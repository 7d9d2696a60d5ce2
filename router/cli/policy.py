"""`glideroute policy`: who is next: checked, compared, tried out, applied, shown."""

import random
from collections.abc import Sequence
from pathlib import Path

import click

from router import wiring
from router.cli import policy_show
from router.cli.group import Group
from router.cli.session import settings
from router.cli.show import console, json_option, print_json
from router.decide import share_check
from router.decide.share_model import scaled
from router.decide.share_model import simulate as run_model
from router.embedded.rehearsal import CYCLE_S, LENGTHS_S, SLOTS
from router.errors import UserError
from router.loops import shares
from router.model import share_document
from router.model.document import Fault
from router.model.share_load import Submission, read_load
from router.model.shares import SharePolicy
from router.render import negotiator as rendering
from router.resources import folder
from router.services.auditing import asked
from router.trusted import refuse_exposed

FAULTY = 2
file_argument = click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
directory_option = click.option(
    "--config-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="HTCondor's configuration directory.  [default: the embedded pool's, else /etc/condor/config.d]",
)
plot_option = click.option(
    "--plot", type=click.Path(dir_okay=False, path_type=Path), help="Draw it as well, into this PNG, PDF or SVG file."
)


@click.group(cls=Group)
def policy() -> None:
    """Say who is next: quotas, priorities, limits of users and groups."""


@policy.command()
@file_argument
@click.option("--cores", type=float, default=0.0, help="Size of the pool, to check numbers of cores against.")
@json_option
@click.pass_context
def check(context: click.Context, file: Path, cores: float, as_json: bool) -> None:
    """Find what is wrong with the policy in FILE, before HTCondor sees it; exit with 2 if anything is."""
    _, errors, warnings = _checked(file, cores)
    if as_json:
        print_json({"errors": errors, "warnings": warnings})
    else:
        for each in errors:
            click.echo(f"{file}:{_told(each)}")
        for each in warnings:
            click.echo(f"{file}:{_told(each)} (warning)")
        click.echo(f"{file}: {_count(len(errors), 'error')}, {_count(len(warnings), 'warning')}")
    context.exit(FAULTY if errors else 0)


@policy.command()
@file_argument
@json_option
def diff(file: Path, as_json: bool) -> None:
    """Say what the running negotiator would do otherwise under the policy in FILE."""
    wanted = _good(file)
    with wiring.negotiator(settings()) as running:
        words = shares.compare(wanted, running).words
    if as_json:
        print_json({"changes": words})
        return
    for each in words or ("Nothing: the negotiator runs this policy.",):
        click.echo(each)


@policy.command()
@file_argument
@directory_option
@click.option("--dry-run", is_flag=True, help="Print the configuration and change nothing.")
@click.option(
    "--wait",
    type=click.FloatRange(1, 3600),
    default=120.0,
    show_default=True,
    help="Seconds the negotiator has to come to run it: it reads its configuration between two cycles.",
)
@json_option
def apply(file: Path, config_dir: Path | None, dry_run: bool, wait: float, as_json: bool) -> None:
    """Make the pool run the policy in FILE; if it does not come to run it, have the old one back."""
    place = shares.ConfigDirectory(config_dir or wiring.config_directory(settings()), rendering.FILES)
    wanted = _good(file)
    files = rendering.render(wanted, folder("negotiator_policies"), file.name, place.path(rendering.MAP_FILE))
    if dry_run:
        whole = "\n".join(f"# {place.path(name)}\n{text}" for name, text in files.items())
        print_json(files) if as_json else click.echo(whole)
        return
    wiring.dry_run(settings(), files[rendering.SHARES_FILE])  # what ends a negotiator ends this one first
    with wiring.requester(settings()) as who, asked(who, "policy apply", f"policy {file.name}") as request:
        with wiring.negotiator(settings()) as running:
            done = shares.apply(wanted, files, running, place, wait)
        request.words = "; ".join(done.words)
    if as_json:
        print_json({"changes": done.words})
        return
    for each in done.words:
        click.echo(each)
    click.echo("The negotiator runs it." if done.words else "Nothing changed: the negotiator ran it already.")


@policy.command()
@file_argument
@click.option(
    "--load",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The jobs, as a YAML list of submissions.  [default: those of the schedd's history]",
)
@click.option("--hours", type=click.FloatRange(0.1, 24 * 90), default=24.0, show_default=True, help="How long.")
@click.option("--cores", type=float, default=0.0, help="Size of the pool.  [default: what the pool has now]")
@plot_option
@json_option
def simulate(file: Path, load: Path | None, hours: float, cores: float, plot: Path | None, as_json: bool) -> None:
    """Show what each user and group would have got, and waited, under the policy in FILE."""
    wanted = _good(file)
    work = _load(load, hours)
    size = cores or _pool_cores()
    course = run_model(wanted, work, size, hours * 3600)
    if plot:
        policy_show.draw_course(course, size, plot)
    if as_json:
        print_json(course)
        return
    console().print(policy_show.course(course, size))
    if plot:
        click.echo(f"drawn in {plot}")


@policy.command()
@file_argument
@click.option("--scratch", is_flag=True, help="Run it in a pool of 40 slots on this machine instead, with jobs.")
@click.option("--seconds", type=click.FloatRange(20, 3600), default=60.0, show_default=True, help="How long, there.")
@click.option("--cores", type=float, default=1000.0, show_default=True, help="The pool that the policy is for.")
@json_option
def rehearse(file: Path, scratch: bool, seconds: float, cores: float, as_json: bool) -> None:
    """Let a real negotiator reckon with the policy in FILE: the pool's own, for one cycle, without matching anything.

    With --scratch one that is started for it, in which everybody the policy names has jobs without end.
    """
    wanted = _good(file)
    if scratch:
        found = _in_scratch(scaled(wanted, SLOTS / cores, max(5, round(seconds / 6))), seconds)
        print_json(found) if as_json else console().print(policy_show.side_by_side(found))
        return
    reckoned = wiring.dry_run(settings(), _text(wanted, file.name))
    if reckoned is None:
        raise UserError("A negotiator can be started beside that of the embedded pool only: glideroute pool up")
    print_json(reckoned) if as_json else console().print(policy_show.second_opinion(reckoned))


@policy.command()
@plot_option
@json_option
def show(plot: Path | None, as_json: bool) -> None:
    """Show what each group and user is entitled to, uses and waits for, now."""
    with wiring.negotiator(settings()) as running:
        states = running.states()
    if plot:
        policy_show.draw_states(states, plot)
    if as_json:
        print_json(states)
        return
    console().print(policy_show.states(states))
    if plot:
        click.echo(f"drawn in {plot}")


def _text(wanted: SharePolicy, source: str) -> str:
    return rendering.render(wanted, folder("negotiator_policies"), source)[rendering.SHARES_FILE]


def _in_scratch(wanted: SharePolicy, seconds: float) -> dict[str, dict[str, float]]:
    """Slots of each submitter, from the scratch pool and from the model."""
    everyone = list(wanted.settings()) or [wanted.setting(name) for name in ("one", "two")]
    real = wiring.scratch_run(_text(wanted, "a rehearsal"), everyone, seconds)
    chance = random.Random(0)  # noqa: S311 - no secret hangs on it
    lengths = [chance.choice(LENGTHS_S) for _ in range(SLOTS * int(seconds / LENGTHS_S[0] + 2))]
    load = [Submission(each.submitter, 0, 1, length) for length in lengths for each in everyone]
    course = run_model(wanted, load, SLOTS, seconds, CYCLE_S)
    late = [i for i, at in enumerate(course.times) if at > seconds / 2]
    model = {name: sum(values[i] for i in late) / len(late) for name, values in course.used.items()}
    return {"pool": real, "model": model}


def _checked(file: Path, cores: float = 0.0) -> tuple[SharePolicy, list[Fault], list[Fault]]:
    """The policy of a file, its errors and its warnings."""
    try:
        refuse_exposed(file)
        read = share_document.read(file.read_text(), str(file))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"The policy {file} cannot be read: {error}.") from None
    with wiring.expression_parser() as parse:
        complaints = dict(zip(texts := _texts(read.policy), parse(texts), strict=True))
    found = share_check.findings(read.policy, lambda text: complaints[text], cores)
    placed: list[tuple[bool, Fault]] = []
    for each in found:
        line, column = read.places.get(each.path) or read.places.get(each.path.rpartition(".")[0], (1, 1))
        placed.append((each.warning, Fault(line, each.path, each.message, column)))
    errors = [*read.faults, *(fault for warning, fault in placed if not warning)]
    return read.policy, sorted(set(errors)), sorted({fault for warning, fault in placed if warning})


def _texts(found: SharePolicy) -> list[str]:
    return list(dict.fromkeys(share_check.expressions(found).values()))


def _good(file: Path) -> SharePolicy:
    found, errors, _ = _checked(file)
    if errors:
        lines = "\n".join(f"  {_told(each)}" for each in errors)
        raise UserError(f"The policy {file} has {_count(len(errors), 'error')}:\n{lines}")
    return found


def _told(fault: Fault) -> str:
    return f"{fault.line}:{fault.column}: {fault.field}: {fault.message}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _load(file: Path | None, hours: float) -> Sequence[Submission]:
    if file is None:
        return wiring.recorded_load(settings(), hours)
    try:
        return read_load(file.read_text(), str(file))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"The load {file} cannot be read: {error}.") from None


def _pool_cores() -> float:
    with wiring.negotiator(settings()) as running:
        found = running.cores()
    if found <= 0:
        raise UserError("The pool has no cores now. Say how many to reckon with: --cores 1000")
    return found
