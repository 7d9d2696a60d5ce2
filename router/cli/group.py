"""Groups of commands whose help says a whole sentence of each, over as many lines as it takes."""

import click

WHOLE = 1000
"""Characters of a sentence that are shown; click cuts it to a line."""


class Group(click.Group):
    """A group of commands."""

    group_class = type
    """Groups in it are of the same kind."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, each with the first sentence of its help."""
        found = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        told = [(name, command.get_short_help_str(WHOLE)) for name, command in found if command and not command.hidden]
        if told:
            with formatter.section("Commands"):
                formatter.write_dl(told)
