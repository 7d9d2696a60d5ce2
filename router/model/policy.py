"""What the VO wants of brokerage: thresholds and limits, with their reasons."""

from dataclasses import dataclass

POLICIES = ("glideroute", "panda", "overflow", "replicas", "any", "random", "least-loaded", "flow")
"""Ways to choose sites, by name; the first is the default."""


@dataclass(frozen=True, slots=True)
class BrokerPolicy:
    """The broker's thresholds."""

    name: str = POLICIES[0]
    """Which way to choose sites."""
    bind: bool = True
    """False: decisions are only written into the log and counted, and no job is touched (mode `tag`)."""
    max_sites: int = 8
    """Sites in one set. Each distinct set is an autocluster to the negotiator, and a wide one spreads glideins thin."""
    near_s: float = 60.0
    """Sites that would complete a job this little later than the best one join the set as well, in seconds."""
    few_sets: int = 100
    """While fewer distinct sets than this are in use, a group gets its own; then one in use that is as good."""
    near_share: float = 0.1
    """A set in use is as good where the last job starts this share later, 0..1, or `near_s`."""
    failure_rate: float = 0.5
    """Over this share of failed jobs a site gets nothing new, 0..1."""
    failure_sample: int = 10
    """Fewer ended jobs than this say nothing about a site."""
    failure_window_s: int = 3600
    """Failures older than this are forgotten, in seconds."""
    hole_failures: int = 10
    """A site is a black hole when so many jobs, of two tasks or more, have failed there in a row."""
    node_failures: int = 5
    """A node where so many jobs failed, and none ended well, is a black hole …"""
    few_nodes: float = 0.25
    """… whose failures are not its site's, where no more than this share of the nodes there is so, 0..1, or one."""
    probe_jobs: int = 2
    """So many jobs at once try whether a black hole is well again; one that ends well opens it."""
    probe_after_s: float = 900.0
    """It is tried so long after its last failure, in seconds, and twice as long after each try, up to 16 times."""
    evicted_rate: float = 0.5
    """A site that throws out over this share of the jobs that it starts gets nothing new, 0..1."""
    start_limit_s: float = 1800.0
    """A site that starts no job for this long, though it has idle cores and jobs wait, gets nothing new, in seconds."""
    most_closed: float = 0.5
    """The router's own judgement closes no more than this share of the sites that are online, 0..1."""
    most_moves: int = 10
    """A job that was moved this often is moved no more for what the router itself holds against a site."""
    validation_window_s: int = 1800
    """A refused node older than this no longer keeps jobs away, in seconds."""
    silent_limit_s: float = 1800.0
    """A site that has shown no glidein for this long although asked gets nothing new, in seconds; PanDA has 3 h."""
    left_limit_s: float = 6 * 3600.0
    """A job that was moved away from a site does not go back for this long, in seconds; PanDA's 6 h."""
    wait_limit_s: float = 30 * 86400.0
    """A site where a core is free only after this long gets nothing further, in seconds."""
    overload_queue: int = 20
    """Sites with at most this many idle jobs are never overloaded; PanDA's number."""
    overload_ratio: float = 10.0
    """A site is overloaded with so many times more idle jobs for one that runs than sites have on average."""
    user_wait_s: float = 8 * 3600.0
    """Where a core is free only after this long, no user gets more than so many idle jobs; PanDA's 8 h …"""
    user_queue: int = 1000
    """… and these are so many."""
    ramp_s: float = 600.0
    """How long a site without glideins takes to get some, in seconds."""
    share_queue: int = 20
    """Cores for which a share's jobs wait at a site, up to which its queue there is never too long …"""
    share_ratio: float = 3.0
    """… nor with at most so many times more of them for one it has than all jobs have there; PanDA's number …"""
    share_wait_s: float = 1800.0
    """… nor before its first job has waited there for so long, in seconds."""
    typical_run_s: float = 3600.0
    """Run time assumed where no job has ended, in seconds."""
    local_mb_s: float = 100.0
    """What one job reads from its own site's storage, in MB (10^6 bytes) per second."""
    remote_mb_s: float = 0.5
    """What one job reads from another site's storage, in MB per second."""
    remote_readers: float = 0.3
    """Jobs elsewhere that a site's storage feeds at once, for each of its own cores; no more are sent away."""
    remote_s: float = 3600.0
    """What reading from elsewhere costs besides its bytes, for the latency and the load on shared links, in seconds."""
    busy_remote_s: float = 24 * 3600.0
    """What reading from elsewhere costs more where no core is idle, in seconds: it only takes work from there."""
    patience_s: float = 1200.0
    """A set is not widened before it is this old, in seconds, and twice as old each further time."""
    min_gain_s: float = 900.0
    """A waiting job is moved only for a gain of at least this much, in seconds …"""
    min_gain: float = 0.6
    """… and of at least this share of the time it would otherwise take, 0..1."""
    tail_share: float = 0.0
    """When no more than this share of a task waits, 0..1, it is the tail, for which all the others wait; 0: never."""
    tail_wait_s: float = 600.0
    """Jobs of a tail get further sites when they have had theirs for this long, in seconds …"""
    tail_gain_s: float = 300.0
    """… and would start so much sooner, in seconds."""
    lost_wait_s: float = 300.0
    """Jobs whose input is lost keep sites that they got less than this ago, in seconds; twice as long each move."""
    panda_rebroker_s: float = 7200.0
    """Policy `panda`: jobs that wait so long without a start are brokered again, in seconds; PanDA's own is 12 h."""
    overflow: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Policy `overflow`: large sites, and the neighbours that help each; sorted."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How failed jobs are retried; PanDA's rules and CRAB's post-job script are the models."""

    retry: bool = True
    """False: held jobs stay held, and nothing is written into them (mode `hold`)."""
    tries: int = 3
    """Retries of one job, whatever it failed of; PanDA's limit of failed attempts."""
    delay_s: float = 300.0
    """Before the first retry at the same sites, in seconds; twice as long each further time."""
    most_delay_s: float = 3600.0
    """No retry waits longer than this, in seconds."""
    growth: float = 1.3
    """A job that ran out of memory or time gets this many times what it asked for; CRAB's factor."""
    most_memory_mb: int = 16_384
    """No retry asks for more memory than this, in MB."""
    most_walltime_s: int = 172_800
    """No retry asks for more time than this, in seconds."""
    avoid_s: float = 21_600.0
    """A job stays away from a site where it failed for this long, in seconds; PanDA's 6 h."""


@dataclass(frozen=True, slots=True)
class RunningPolicy:
    """When jobs are stopped that run, so that they start anew elsewhere."""

    stop: bool = True
    """False: what runs is left alone (mode `leave`)."""
    look_s: float = 900.0
    """Runs that have lasted this long are looked at, and as often, in seconds; HTCondor tells of them as often."""
    stuck_s: float = 7200.0
    """A run that does nothing for this long is stuck, in seconds; PanDA's pilot has 2 h."""
    active_share: float = 0.01
    """A run that uses less of one core than this does nothing, 0..1; one that only waits in a loop uses a tenth."""
    most_share: float = 0.05
    """In one look no more than this share of a site's or a task's running jobs is stopped, 0..1, but one of each."""
    least_gain_s: float = 1800.0
    """Runs are not stopped to save less of a core's time than this, in seconds."""
    margin: float = 1.5
    """A glidein ends too early where the run would take so many times the time that is left to it."""


@dataclass(frozen=True, slots=True)
class DemandPolicy:
    """How glideins are asked for; the numbers are GlideinWMS's frontend's where it has them."""

    per_pass: int = 10
    """New glideins of one entry in one pass."""
    failing_probes: int = 1
    """Glideins kept at an entry whose nodes fail validation, to see when it is well again."""


@dataclass(frozen=True, slots=True)
class StageOutPolicy:
    """How outputs are brought to their destinations."""

    parallel: int = 8
    """Copies under way at once."""
    per_pass: int = 1000
    """Copies of one destination that are begun before the database is asked again."""
    tries: int = 20
    """Copies of one output that may fail for what passes: with the delays below, about two and a half days."""
    few_tries: int = 4
    """The same for what seldom passes by itself: permission, a missing source, wrong bytes."""
    delay_s: float = 60.0
    """Before the second copy, in seconds; twice as long each further time."""
    most_delay_s: float = 14_400.0
    """No output waits longer than this between two copies, in seconds."""
    bad_streak: int = 20
    """A destination where so many copies failed in a row is only probed."""
    probes: int = 2
    """Copies of one probe."""
    probe_s: float = 60.0
    """Between two probes, in seconds."""
    timeout_s: float = 60.0
    """No single answer of a storage may take longer, in seconds."""
    test_s: float = 600.0
    """Between two tests whether outputs can be written to a storage element, in seconds; 0: none are made."""
    purge_s: float = 0.0
    """Copies of files that were removed longer ago than this, in seconds, are removed from storage; 0: never."""
    bulk: int = 200
    """Outputs that a transfer service gets at once."""
    most_sent: int = 20_000
    """Outputs that it has at one time."""
    sent_s: float = 86_400.0
    """What it has not brought after so many seconds it is told to give up; it is tried again as after a time-out."""
