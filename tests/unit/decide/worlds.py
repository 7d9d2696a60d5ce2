"""Worlds for property tests: few sites and few values, so that ties, refusals and agreements are common."""

from hypothesis import strategies as st

from router.model.job import JobGroup, JobState
from router.model.site import Site, SiteStatus
from router.model.task import Inputs, Shape
from router.model.world import World
from router.testing.build import a_failure, a_group, a_shape, a_site, a_world

NAMES = ("SITE_A", "SITE_B", "SITE_C", "SITE_D", "SITE_E", "SITE_F")
few = st.integers(min_value=0, max_value=3)


def sites(name: str) -> st.SearchStrategy[Site]:
    return st.builds(
        a_site,
        st.just(name),
        status=st.sampled_from([SiteStatus.ONLINE, SiteStatus.ONLINE, SiteStatus.DRAINING, SiteStatus.OFFLINE]),
        memory_mb=st.sampled_from([2048, 4096]),
        cores=st.sampled_from([0, 8, 16]),
        idle_cores=st.sampled_from([0, 8]),
        waiting_jobs=few,
        running_jobs=few,
        succeeded=st.sampled_from([0, 10, 1000]),
        failed=st.sampled_from([0, 10, 20]),
        failure=st.sampled_from([None, None, None, a_failure()]),
    )


def some_sites() -> st.SearchStrategy[list[Site]]:
    return st.sets(st.sampled_from(NAMES), max_size=len(NAMES)).flatmap(
        lambda names: st.tuples(*(sites(name) for name in sorted(names))).map(list)
    )


def wishes() -> st.SearchStrategy[tuple[str, ...]]:
    return st.sampled_from([(), (), (), ("SITE_A",), ("SITE_B", "SITE_C"), NAMES])


def inputs() -> st.SearchStrategy[Inputs]:
    held = st.dictionaries(st.sampled_from(NAMES), st.sampled_from([400, 1000]), max_size=3)
    return held.map(lambda found: Inputs(1000 if found else 0, tuple(sorted(found.items()))))


def shapes() -> st.SearchStrategy[Shape]:
    return st.builds(
        a_shape,
        inputs=inputs(),
        allow=wishes(),
        block=wishes(),
        memory_mb=st.sampled_from([1000, 3000]),
        left=wishes(),
        full=wishes(),
    )


def groups(cluster: int) -> st.SearchStrategy[JobGroup]:
    return st.builds(
        a_group,
        st.just(cluster),
        state=st.sampled_from([JobState.IDLE, JobState.IDLE, JobState.IDLE, JobState.RUNNING, JobState.HELD]),
        count=st.integers(min_value=1, max_value=50),
        sites=st.sampled_from([None, None, (), ("SITE_A",), ("SITE_A", "SITE_B"), ("GONE",)]),
        allow=wishes(),
        block=wishes(),
        memory_mb=st.sampled_from([1000, 3000]),
        hold_code=st.sampled_from([0, 3, 15]),
        fixed=st.sampled_from([False, False, True]),
    )


def worlds() -> st.SearchStrategy[World]:
    jobs = st.integers(min_value=0, max_value=4).flatmap(lambda n: st.tuples(*(groups(i + 1) for i in range(n))))
    read = st.dictionaries(st.integers(min_value=1, max_value=4), inputs(), max_size=4)
    return st.builds(
        lambda found, groups, read: a_world(*found, jobs=groups, inputs=tuple(sorted(read.items()))),
        some_sites(),
        jobs,
        read,
    )
