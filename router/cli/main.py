"""`glideroute`: finds the command, and turns what goes wrong into words and an exit code."""

import os
import sys
from importlib import import_module

import click

from router.cli.group import Group
from router.errors import RouterError
from router.redact import printable, redacted, show_exception

COMMANDS = {
    "submit": "router.cli.submit:submit",
    "status": "router.cli.tasks:status",
    "watch": "router.cli.tasks:watch",
    "why": "router.cli.tasks:why",
    "logs": "router.cli.tasks:logs",
    "results": "router.cli.results:results",
    "merge": "router.cli.merge:merge",
    "kill": "router.cli.tasks:kill",
    "retry": "router.cli.tasks:retry",
    "proceed": "router.cli.stages:proceed",
    **{
        name: f"router.cli.files:{name}"
        for name in ("ls", "find", "stat", "mkdir", "rm", "restore", "mv", "ln", "chmod", "chown", "quota", "changes")
    },
    "put": "router.cli.copies:put_",
    "get": "router.cli.copies:get",
    "replicas": "router.cli.copies:replicas",
    "dataset": "router.cli.data:dataset",
    "data": "router.cli.services:data",
    "meta": "router.cli.meta:meta",
    "provenance": "router.cli.provenance:provenance",
    "sites": "router.cli.sites:sites",
    "policy": "router.cli.policy:policy",
    "accounting": "router.cli.usage:accounting",
    "audit": "router.cli.audit:audit",
    "pool": "router.cli.daemons:pool",
    "doctor": "router.cli.doctor:doctor",
    "store": "router.cli.store:store",
    "router": "router.cli.daemons:router",
    "factory": "router.cli.daemons:factory",
    "stageout": "router.cli.daemons:stageout",
}

EXIT_CODES = """\b
Exit codes:
  0  done
  1  failed
  2  what was asked for cannot be done as written
  3  nothing fits, with the reasons
  4  temporarily impossible; a later try may succeed
"""


class _Lazy(Group):
    """Imports a command's module when the command is used, so that --help is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All commands, in the order a user meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(HELP.items()))


HELP = {
    "submit": "Submit a payload, or a condor_submit file.",
    "status": "Show tasks, or where the jobs of one are.",
    "watch": "Follow a task until it is done.",
    "why": "Say why jobs are where they are, site by site.",
    "logs": "Show what a job wrote.",
    "results": "Get a task's outputs.",
    "merge": "Have jobs merge what is there of a task's outputs.",
    "kill": "Remove a task's jobs.",
    "retry": "Let a task's failed jobs run again.",
    "proceed": "Carry a task's automatic splitting on.",
    "ls": "List a directory of the catalogue.",
    "find": "List files below a directory.",
    "stat": "Show all that is known of a name.",
    "mkdir": "Make directories.",
    "rm": "Remove names; files can be restored.",
    "restore": "Bring back a removed file.",
    "mv": "Rename a file, link, dataset or directory.",
    "ln": "Make a link to another name.",
    "chmod": "Say who may do what with names.",
    "chown": "Give names another owner or group.",
    "quota": "Show or set what users may own.",
    "changes": "Show who changed what.",
    "put": "Put a file onto a site's storage, and register it.",
    "get": "Copy a file, or a dataset's files, here.",
    "replicas": "Show where a file's copies are.",
    "dataset": "Make, list, show and close datasets.",
    "data": "Show data services, and copies made for waiting jobs.",
    "meta": "Say what files hold, and find them by it.",
    "provenance": "Show where files come from: jobs, code, inputs.",
    "sites": "Show, drain and resume sites.",
    "policy": "Say who is next: quotas, priorities, limits.",
    "accounting": "Show what users, groups and sites used.",
    "audit": "Show who asked for what, and what became of it.",
    "pool": "Run a whole HTCondor pool on this machine.",
    "doctor": "Say what is wrong with this installation, and how to mend it.",
    "store": "Show the database's schema, take it forward or back.",
    "router": "Run the router.",
    "factory": "Run the factory that starts glideins.",
    "stageout": "Bring outputs to their destinations, and say how far they are.",
}


@click.group(cls=_Lazy, epilog=EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="glideroute")
def glideroute() -> None:
    """Route analysis jobs over HTCondor and GlideinWMS."""


def main() -> None:
    """Run the command line."""
    sys.excepthook = show_exception
    try:
        sys.exit(glideroute.main(standalone_mode=False))
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except RouterError as error:
        _fail(str(error), error.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(1)
    except Exception as error:
        if os.environ.get("GLIDEROUTE_DEBUG"):
            raise
        _fail(
            f"This is a fault of glideroute: {type(error).__name__}: {error}. "
            "Run the command again with GLIDEROUTE_DEBUG=1 and report what it prints.",
            1,
        )


def _fail(message: str, code: int) -> None:
    shown = "\n".join(printable(line) for line in redacted(message).split("\n"))
    click.echo(f"glideroute: {shown}", err=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
