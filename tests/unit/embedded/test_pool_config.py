"""The rendered configuration holds every value as given, and only the values given."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from router.errors import UserError
from router.render.pool_config import (
    Daemon,
    PoolLayout,
    Release,
    condor_value,
    render_client_config,
    render_pool_config,
)

TEMPLATES = Path(__file__).parents[3] / "schedd_config/embedded"


def a_layout() -> PoolLayout:
    release = Release(Path("/h/bin"), Path("/h/sbin"), Path("/h/lib"), Path("/h/libexec"))
    return PoolLayout(Path("/p"), release, "pool-1", 4242, Path("/tmp/s"), uid=1, gid=2)


def settings(text: str) -> dict[str, str]:
    pairs = [line.split(" =", 1) for line in text.splitlines() if " =" in line and not line.startswith("#")]
    return {name: value.strip() for name, value in pairs}


def test_the_pool_listens_on_the_loopback_interface_alone() -> None:
    found = settings(render_pool_config(a_layout(), TEMPLATES))
    assert found["COLLECTOR_HOST"] == "127.0.0.1:4242"
    assert found["NETWORK_INTERFACE"] == "127.0.0.1"
    assert found["BIND_ALL_INTERFACES"] == "False"


@pytest.mark.parametrize("render", [render_pool_config, render_client_config])
def test_every_connection_is_authenticated_by_token_encrypted_and_checked(
    render: Callable[[PoolLayout, Path], str],
) -> None:
    found = settings(render(a_layout(), TEMPLATES))
    secured = {name: value for name, value in found.items() if name.startswith("SEC_")}
    assert {value for name, value in secured.items() if name.endswith("_METHODS")} == {"IDTOKENS"}
    required = {name for name in secured if name.endswith(("_AUTHENTICATION", "_ENCRYPTION", "_INTEGRITY"))}
    assert {secured[name] for name in required} == {"REQUIRED"}


def test_no_permission_is_given_to_a_host_or_to_everyone() -> None:
    found = settings(render_pool_config(a_layout(), TEMPLATES))
    allowed = [who for name, value in found.items() if name.startswith("ALLOW_") for who in value.split(", ") if who]
    assert [who for who in allowed if not who.endswith("@pool-1")] == []
    assert found["ALLOW_ADMINISTRATOR"] == "admin@pool-1"


def test_daemons_of_ours_follow_htcondors_own() -> None:
    router = Daemon("ROUTER", ("glideroute", "router", "run"), {})
    found = settings(render_pool_config(replace(a_layout(), daemons=(router,)), TEMPLATES))
    assert found["DAEMON_LIST"] == "MASTER SHARED_PORT COLLECTOR NEGOTIATOR SCHEDD ROUTER"
    assert found["ROUTER"] == "$(LOCAL_DIR)/daemons/ROUTER"


def test_fragments_are_read_after_our_own_settings_in_the_order_given() -> None:
    layout = replace(a_layout(), fragments=(Path("/c/10-a.config"), Path("/c/20 b.config")))
    lines = [line for line in render_pool_config(layout, TEMPLATES).splitlines() if line]
    assert lines[-2:] == ["include : /c/10-a.config", "include : /c/20 b.config"]


@pytest.mark.parametrize(
    ("given", "written"), [("/a b", "/a b"), ("/$(HOME)", "/$(DOLLAR)(HOME)"), ("/#x", "/#x"), ("/ü", "/ü")]
)
def test_a_value_is_written_so_that_htcondor_reads_it_back(given: str, written: str) -> None:
    assert condor_value(given) == written


@pytest.mark.parametrize("bad", ["/a\nALLOW_ADMINISTRATOR = *", "/a\rb", "/a\x00b", "/a\\"])
def test_a_value_that_would_become_a_setting_is_refused(bad: str) -> None:
    with pytest.raises(UserError, match="cannot hold"):
        render_pool_config(replace(a_layout(), home=Path(bad)), TEMPLATES)


def test_nothing_that_the_shadow_writes_is_protected_from_owners() -> None:
    """The shadow writes as the job's owner: refused even one of these (seen with 25.14), its job never ends."""
    text = (TEMPLATES.parent / "30-protect.config").read_text().replace("\\\n", " ")
    kept = {word for line in text.splitlines() if "_JOB_ATTRS =" in line for word in line.partition("=")[2].split()}
    shadows = "RemoteSysCpu RemoteUserCpu RemoteWallClockTime NumJobStarts NumHolds ExitCode HoldReasonCode"
    assert "JobStatus" in kept
    assert kept.isdisjoint(shadows.split())
