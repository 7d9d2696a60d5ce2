"""The router follows the data services for what waiting and running jobs read, and waits for none of them."""

from dataclasses import dataclass, field

import pytest
from fake_organisation import Organisation

from router.errors import NotFound, RouterError, TemporaryError
from router.loops.following import Following
from router.model.data_service import ServiceAnswer, ServiceSettings
from router.model.files import Located
from router.model.payload import Payload
from router.render import jdl
from router.testing.build import a_batch, a_file, a_group, a_task, a_world

DATASET = "/gamma/d"


@dataclass
class Pending:
    """An answer that comes when a test says so."""

    told: ServiceAnswer | RouterError
    ended: bool = True

    def answer(self, _: float) -> ServiceAnswer:
        if not self.ended:
            raise TemporaryError("has not answered")
        if isinstance(self.told, RouterError):
            raise self.told
        return self.told


@dataclass
class FakeSource:
    """A service that tells of one dataset."""

    files: tuple[Located, ...] = (a_file("/gamma/f", "SITE_A"),)
    error: RouterError | None = None
    ended: bool = True
    settings: ServiceSettings = ServiceSettings("books", "gamma", "/gamma")
    asked: list[str] = field(default_factory=list)

    def begin(self, dataset: str) -> Pending:
        self.asked.append(dataset)
        return Pending(self.error or ServiceAnswer("books", dataset, self.files), self.ended)


@pytest.fixture
def source() -> FakeSource:
    return FakeSource()


@pytest.fixture
def following(source: FakeSource, organisation: Organisation) -> Following:
    return Following([source], organisation.store, organisation.clock)


def reading(*datasets: str) -> object:
    return a_world(jobs=[a_group(number, dataset=name) for number, name in enumerate(datasets, 1)])


def sites(organisation):
    return {copy.site for each in organisation.store.files(["/gamma/f"]) for copy in each.replicas}


def test_what_jobs_read_is_asked_for_and_taken_over_by_a_later_pass(following, source, organisation):
    assert not following.step(reading(DATASET, "/demo/zmumu"))
    assert source.asked == [DATASET]
    assert sites(organisation) == set()
    assert following.step(reading(DATASET))
    assert sites(organisation) == {"SITE_A"}


def test_nothing_is_asked_again_while_the_answer_is_fresh_and_of_equal_ones_nothing_is_new(
    following, source, organisation
):
    for _ in range(3):
        following.step(reading(DATASET))
    assert len(source.asked) == 1
    organisation.clock.pass_time(600)
    following.step(reading(DATASET))
    assert not following.step(reading(DATASET))
    assert len(source.asked) == 2


def test_a_service_gets_one_question_at_a_time_the_oldest_answer_first(following, source):
    following.step(reading(DATASET, "/gamma/e"))
    assert len(source.asked) == 1
    following.step(reading(DATASET, "/gamma/e"))
    assert sorted(source.asked) == [DATASET, "/gamma/e"]


def test_an_answer_that_does_not_come_is_waited_for_by_no_pass_and_given_up(following, source, organisation):
    source.ended = False
    for _ in range(3):
        following.step(reading(DATASET))
    assert following.failed == {}
    organisation.clock.pass_time(30)
    following.step(reading(DATASET))
    assert following.failed == {"books": 1}
    assert "has not answered" in organisation.store.answered()[DATASET].words


@pytest.mark.parametrize("error", [NotFound("gone"), TemporaryError("down"), RouterError("nonsense")], ids=str)
def test_what_was_told_last_stays_while_a_service_is_down_wrong_or_forgetful(following, source, organisation, error):
    following.step(reading(DATASET))
    following.step(reading(DATASET))
    source.error = error
    organisation.clock.pass_time(600)
    following.step(reading(DATASET))
    assert not following.step(reading(DATASET))
    assert sites(organisation) == {"SITE_A"}


def test_an_answer_that_takes_all_copies_away_is_not_believed(following, source, organisation):
    following.step(reading(DATASET))
    following.step(reading(DATASET))
    source.files = (a_file("/gamma/f"),)
    organisation.clock.pass_time(600)
    following.step(reading(DATASET))
    assert not following.step(reading(DATASET))
    assert sites(organisation) == {"SITE_A"}


def test_jobs_follow_a_copy_that_a_service_tells_of(organisation, source):
    organisation.glidein("SITE_A")
    organisation.glidein("SITE_B")
    files = (a_file("/gamma/f", "SITE_A"),)
    organisation.store.mirror(ServiceAnswer("books", DATASET, files), organisation.clock.now() - 601)
    task = a_task(payload=Payload("zmumu", "a.py", dataset=DATASET))
    batch = a_batch(jobs=40, files=files)
    organisation.store.open_task(task, "name: zmumu\nexecutable: a.py\n", "x", [batch], 0)
    injection = jdl.batch_injection(task, batch)
    organisation.pool.as_user("alice").submit(injection.text, [dict(item) for item in injection.items])
    route = organisation.route()
    route.following = Following([source], organisation.store, organisation.clock)
    source.files = (a_file("/gamma/f", "SITE_A", "SITE_B"),)
    route.step()
    assert organisation.groups()[0].sites == ("SITE_A",)
    organisation.clock.pass_time(30)
    route.step()
    organisation.clock.pass_time(30)
    assert dict(route.world.inputs)[organisation.groups()[0].source].at_sites == (("SITE_A", 1000),)
    route.step()
    assert dict(route.world.inputs)[organisation.groups()[0].source].at_sites == (("SITE_A", 1000), ("SITE_B", 1000))
