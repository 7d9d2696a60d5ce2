"""Settings: read once, every fault at once, and where they are looked for."""

from dataclasses import fields
from pathlib import Path

import pytest

from router.errors import UserError
from router.model.files import StorageElement
from router.model.node import Gpus
from router.model.pilot import Entry, Software
from router.model.policy import BrokerPolicy, RunningPolicy
from router.model.site import Access, Storage
from router.settings import FILE, Settings, home_from_environment, load, parse

WHOLE = """\
database: sqlite:////srv/glideroute.db
tasks: /srv/tasks
router: {interval: 10 s, metrics_port: 9100, metrics_host: 0.0.0.0}
factory: {interval: 1 min}
calls: {read: 5 s, write: 10 s}
broker: {max_sites: 2, failure_sample: 5}
sites:
  SITE_A:
    storage: {prefix: "root://se.example.org//store", space: 10 TB, reserve: 200 GB, quota: 1 TB}
    entries:
      a_slurm:
        cpus: 8
        memory: 16 GB
        disk: 100 GB
        walltime: 1 d
        max_glideins: 50
        min_glideins: 1
        idle: 10 min
        grid_resource: batch slurm
        software: {python: /usr/bin/python3, modules: [uproot, hist], tags: [root-6.30, /cvmfs/a.b.ch]}
        gpus: 2
        gpu_memory: 16 GB
        gpu_capability: 7.5
        arch: x86_64-v3
        os: el9
        attributes: {GLIDEIN_Country: CH, GLIDEIN_Start: "TARGET.RequestCpus >= 4"}
    groups: {allow: [higgs], block: [higgs.zz]}
  SITE_B: {}
  TAPE:
    storage: {kind: tape, prefix: "root://tape.example.org//store"}
"""


def read(text: str) -> Settings:
    return parse(text, Settings(Path("/home/x")))


def test_whole_settings_are_read_as_they_are_written():
    settings = read(WHOLE)
    assert (settings.database_url, settings.task_home) == ("sqlite:////srv/glideroute.db", Path("/srv/tasks"))
    assert (settings.router.interval_s, settings.router.metrics_port, settings.factory.interval_s) == (10, 9100, 60)
    assert (settings.calls.read_s, settings.calls.write_s) == (5, 10)
    assert (settings.broker.max_sites, settings.broker.failure_sample) == (2, 5)
    site, other, tape = settings.sites
    assert site.limits == Storage(space_mb=10 * 2**20, reserve_mb=200 * 1024, quota_mb=2**20)
    assert (other.limits, tape.limits) == (Storage(present=False), Storage(tape=True))
    assert site.storage == StorageElement("SITE_A_DISK", "SITE_A", "root://se.example.org//store")
    assert site.access == Access(("higgs",), ("higgs.zz",))
    assert (other.name, other.storage, other.entries, other.access) == ("SITE_B", None, (), Access())
    assert settings.entries == (
        Entry(
            "a_slurm",
            "SITE_A",
            cpus=8,
            memory_mb=16_384,
            disk_mb=102_400,
            walltime_s=86_400,
            max_glideins=50,
            min_glideins=1,
            idle_s=600,
            grid_resource="batch slurm",
            software=Software("/usr/bin/python3", ("uproot", "hist"), ("root-6.30", "/cvmfs/a.b.ch")),
            gpus=Gpus(2, 16_384, 7.5),
            arch="x86_64-v3",
            os="el9",
            attributes=(("GLIDEIN_Country", "CH"), ("GLIDEIN_Start", "TARGET.RequestCpus >= 4")),
        ),
    )


def test_a_policy_is_chosen_by_name_with_the_lists_it_needs():
    broker = read("broker: {policy: overflow, overflow: {T1_B: [], T1_A: [T2_A, T2_B]}, panda_rebroker: 12 h}").broker
    assert (broker.name, broker.panda_rebroker_s) == ("overflow", 12 * 3600)
    assert broker.overflow == (("T1_A", ("T2_A", "T2_B")), ("T1_B", ()))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{policy: pandas}", "broker.policy: must be one of glideroute, panda, .*did you mean 'panda'"),
        ("{overflow: {T1: T2}}", "broker.overflow.T1: must be a list"),
        ("{overflow: [T1]}", "broker.overflow: must be a mapping"),
        ("{overflow: {T1: ['a b']}}", "broker.overflow.T1"),
    ],
)
def test_a_policy_that_is_not_known_or_lacks_its_lists_is_told(text, told):
    with pytest.raises(UserError, match=told):
        read(f"broker: {text}")


BROKER = """
broker: {policy: panda, mode: tag, panda_rebroker: 7 s, lost_wait: 7 s, overflow: {T1: []}, max_sites: 3,
  near: 7 s, few_sets: 7, near_share: 0.7, failure_rate: 0.7, failure_sample: 7, failure_window: 7 s,
  validation_window: 7 s, silent_limit: 7 s, ramp: 7 s, typical_run: 7 s, local_mb_per_s: 7, remote_mb_per_s: 7,
  remote_readers: 7, remote_cost: 7 s, busy_remote_cost: 7 s, patience: 7 s, least_gain: 7 s, least_gain_share: 0.7,
  left_limit: 7 s, wait_limit: 7 s, overload_queue: 7, overload_ratio: 7, user_wait: 7 s, user_queue: 7,
  share_queue: 7, share_ratio: 7, share_wait: 7 s,
  node_failures: 7, few_nodes: 0.7, hole_failures: 7,
  probe_jobs: 7, probe_after: 7 s, evicted_rate: 0.7, start_limit: 7 s, most_closed: 0.7,
  most_moves: 7, tail_share: 0.7, tail_wait: 7 s, tail_gain: 7 s}
"""


RUNNING = """
running: {mode: leave, look: 7 s, stuck: 7 s, active_share: 0.7, most_share: 0.7, least_gain: 7 s, margin: 7}
"""


@pytest.mark.parametrize("name", [each.name for each in fields(RunningPolicy)])
def test_every_limit_of_stopping_runs_can_be_set(name):
    assert getattr(read(RUNNING).running, name) != getattr(RunningPolicy(), name)


@pytest.mark.parametrize("name", [each.name for each in fields(BrokerPolicy)])
def test_every_threshold_of_brokerage_can_be_set(name):
    assert getattr(read(BROKER).broker, name) != getattr(BrokerPolicy(), name)


def test_without_a_file_everything_lies_below_home(tmp_path):
    settings = load(tmp_path)
    assert settings.database_url == f"sqlite:///{tmp_path}/glideroute.db"
    assert (settings.task_home, settings.pool_home) == (tmp_path / "tasks", tmp_path / "pool")
    assert settings.sites == ()


def test_the_file_below_home_is_read_and_named_in_faults(tmp_path):
    (tmp_path / FILE).write_text("site: {}\n")
    with pytest.raises(
        UserError, match=rf"{tmp_path}/{FILE} has 1 fault\(s\):\n  line 1: site: .* did you mean 'sites'"
    ):
        load(tmp_path)


def test_a_file_that_is_no_text_is_told(tmp_path):
    (tmp_path / FILE).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="cannot be read"):
        load(tmp_path)


def test_every_fault_is_told_at_once():
    with pytest.raises(UserError) as caught:
        read("""\
router: {interval: 5, metrics_port: 99999}
broker: {max_sites: 0}
sites:
  "SITE A": {}
  SITE_B:
    storage: {}
    entries:
      e1: {cpus: x, attributes: {a b: c}, software: {pyhton: x}}
""")
    assert [line.strip().split(": ")[:2] for line in str(caught.value).splitlines()[1:]] == [
        ["line 1", "router.interval"],
        ["line 1", "router.metrics_port"],
        ["line 2", "broker.max_sites"],
        ["line 4", "sites"],
        ["line 6", "sites.SITE_B.storage.prefix"],
        ["line 8", "sites.SITE_B.entries.e1.attributes"],
        ["line 8", "sites.SITE_B.entries.e1.cpus"],
        ["line 8", "sites.SITE_B.entries.e1.software.pyhton"],
    ]


def test_home_comes_from_the_environment_or_the_desktop_standard(monkeypatch, tmp_path):
    monkeypatch.setenv("GLIDEROUTE_HOME", str(tmp_path / "a"))
    assert home_from_environment() == tmp_path / "a"
    monkeypatch.delenv("GLIDEROUTE_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "b"))
    assert home_from_environment() == tmp_path / "b" / "glideroute"
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert home_from_environment() == tmp_path / ".local" / "share" / "glideroute"


def test_who_submits_comes_from_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("GLIDEROUTE_USER", "bob")
    assert load(tmp_path).user == "bob"
