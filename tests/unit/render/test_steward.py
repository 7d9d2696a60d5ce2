"""The job on the access point that carries an automatic splitting on."""

import htcondor2
import pytest

from router.errors import UserError
from router.render.steward import steward_injection
from router.testing.build import a_task

PROGRAM = ("/opt/venv/bin/python", "-E", "-m", "router.cli.main", "proceed", "--wait")
ENVIRONMENT = {"GLIDEROUTE_HOME": "/srv/glideroute", "GLIDEROUTE_USER": "alice"}


def test_it_runs_the_command_for_its_task_where_the_schedd_is():
    description = htcondor2.Submit(steward_injection(a_task(), PROGRAM, ENVIRONMENT).text)
    assert description["universe"] == "scheduler"
    assert description["executable"] == "/opt/venv/bin/python"
    assert description["arguments"] == '"-E -m router.cli.main proceed --wait zmumu-1"'
    assert description["environment"] == '"GLIDEROUTE_HOME=/srv/glideroute GLIDEROUTE_USER=alice"'
    assert (description["My.RouterTask"], description["My.RouterBatch"]) == ('"zmumu-1"', '"steward"')


@pytest.mark.parametrize("path", ["/with blank", 'q"uote', "it's", "$ENV(HOME)", "a\nqueue 9", "back\\slash"])
def test_what_a_description_would_not_keep_is_refused(path):
    with pytest.raises(UserError):
        steward_injection(a_task(), (*PROGRAM, path), ENVIRONMENT)
    with pytest.raises(UserError):
        steward_injection(a_task(), PROGRAM, {"GLIDEROUTE_HOME": path})
