from click import Context, Group
from click.testing import CliRunner

from router.cli.main import COMMANDS, glideroute


def groups() -> list[str]:
    known = {name: glideroute.get_command(Context(glideroute), name) for name in COMMANDS}
    return [name for name, command in known.items() if isinstance(command, Group)]


def test_the_help_of_a_group_says_a_whole_sentence_of_each_command_however_narrow_the_terminal():
    assert "pool" in groups()
    for name in groups():
        shown = CliRunner().invoke(glideroute, [name, "--help"], terminal_width=60)
        assert "..." not in shown.output.partition("Commands:")[2]
        assert max(map(len, shown.output.splitlines())) <= 60
