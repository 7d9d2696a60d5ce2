"""`glideroute pool`: an HTCondor pool on this machine, for trying things out, for tests and for demonstrations."""

import json
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

import click

from router.cli.group import Group
from router.embedded.pool import EmbeddedPool, PoolStatus
from router.render.pool_config import Daemon
from router.settings import default_home, default_user

NOT_UP = 4
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


def pool_group(schedd_config: Path, daemons: Callable[[Path], Sequence[Daemon]]) -> click.Group:
    """Return the command group; `daemons` tells, given glideroute's home, what the pool runs besides HTCondor."""

    @click.group(cls=Group, name="pool")
    @click.option(
        "--home",
        type=click.Path(file_okay=False, path_type=Path),
        envvar="GLIDEROUTE_HOME",
        default=default_home,
        help="Where glideroute keeps its things; the pool is in its folder pool.  [default: ~/.local/share/glideroute]",
    )
    @click.pass_context
    def pool(context: click.Context, home: Path) -> None:
        """Run a whole HTCondor pool on this machine, without any rights."""
        home = home.absolute()
        context.obj = EmbeddedPool(home / "pool", schedd_config, daemons(home), progress=_say)

    for command in (install, up, down, status, env, rotate):
        pool.add_command(command)
    return pool


@click.command()
@json_option
@click.pass_obj
def install(pool: EmbeddedPool, as_json: bool) -> None:
    """Find HTCondor on this machine, or fetch it into the cache."""
    installation = pool.install()
    if as_json:
        click.echo(json.dumps({"version": installation.version, "programs": str(installation.programs)}))
    else:
        click.echo(f"HTCondor {installation.version} in {installation.programs}")


@click.command()
@json_option
@click.pass_obj
def up(pool: EmbeddedPool, as_json: bool) -> None:
    """Start the pool; do nothing if it is up already."""
    pool.up()
    _show(pool.status(), as_json)


@click.command()
@json_option
@click.pass_obj
def down(pool: EmbeddedPool, as_json: bool) -> None:
    """End the pool and every process of it; queued jobs stay queued."""
    pool.down()
    _show(pool.status(), as_json)


@click.command()
@json_option
@click.pass_context
def status(context: click.Context, as_json: bool) -> None:
    """Say whether the pool is up; exit with 4 if it is not, or only in part."""
    found: PoolStatus = context.obj.status()
    _show(found, as_json)
    if found.state != "up":
        context.exit(NOT_UP)


@click.command()
@click.option("--user", envvar="GLIDEROUTE_USER", default=default_user, help="Whom to be.  [default: your login name]")
@json_option
@click.pass_obj
def env(pool: EmbeddedPool, user: str, as_json: bool) -> None:
    """Print what lets a shell use the pool as a user: eval "$(glideroute pool env --user alice)"."""
    variables = pool.env(user)
    if as_json:
        click.echo(json.dumps(variables))
        return
    for name, value in variables.items():
        click.echo(f"export {name}={shlex.quote(value)}")


@click.command()
@click.option("--finish", is_flag=True, help="Take the keys before away: what they signed is refused from now on.")
@json_option
@click.pass_obj
def rotate(pool: EmbeddedPool, finish: bool, as_json: bool) -> None:
    """Sign all tokens with a new key; nothing is restarted.

    Tokens of the key before stay valid until --finish, so that glideins and users who have one go on.
    """
    if finish:
        pool.retire_keys()
        people: tuple[str, ...] = ()
        words = "Only tokens of the last rotation are taken now; connections that are open end within a day."
    else:
        people = pool.rotate()
        words = (
            f"New tokens of {', '.join(people)}. Tokens of before stay valid; when no glidein has one any more: "
            "glideroute pool rotate --finish"
        )
    click.echo(json.dumps({"renewed": people, "finished": finish}) if as_json else words)


def _say(text: str) -> None:
    click.echo(text, err=True)


def _show(found: PoolStatus, as_json: bool) -> None:
    if as_json:
        click.echo(
            json.dumps(
                {
                    "state": found.state,
                    "home": str(found.home),
                    "port": found.port,
                    "pid": found.pid,
                    "version": found.version,
                    "missing": found.missing,
                }
            )
        )
    elif found.state == "down":
        click.echo(f"The pool in {found.home} is down.")
    elif found.state == "partial":
        click.echo(
            f"The pool in {found.home} is up in part: no answer from {', '.join(found.missing)} "
            f"(logs in {found.home / 'log'}). Mend it: glideroute pool up"
        )
    else:
        click.echo(f"The pool in {found.home} is up: HTCondor {found.version} at 127.0.0.1:{found.port}")
