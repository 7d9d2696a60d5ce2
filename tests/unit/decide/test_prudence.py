"""With a source that is not believed, jobs that have sites keep them; all else goes on."""

from router.decide.prudence import prudent
from router.model.action import Release, Wait
from router.model.world import COLLECTOR
from router.testing.build import a_decision, a_place, a_world

FIRST = a_place(1)
MOVE = a_place(2, old=("SITE_A",), decision=a_decision("SITE_B", came_from=("SITE_A",)))
WIDER = a_place(3, old=("SITE_A",), decision=a_decision("SITE_A", "SITE_B"))
OTHERS = (Wait(4, "zmumu-1", "b0", 1, "nothing fits"), Release(5, "zmumu-1", "all parts are there"))


def test_what_is_believed_is_acted_on():
    actions = (FIRST, MOVE, WIDER, *OTHERS)
    assert tuple(prudent(actions, a_world())) == actions


def test_in_doubt_no_job_leaves_or_gains_a_site():
    doubtful = a_world(stale=((COLLECTOR, "does not answer"),))
    assert tuple(prudent((FIRST, MOVE, WIDER, *OTHERS), doubtful)) == (FIRST, *OTHERS)
