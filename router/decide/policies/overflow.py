"""`overflow`: the sites that have the data, and CRAB's one rule for what is stuck there.

CRABServer's JobAutoTuner.py (commit 419cd950): a job that has been idle for over 20 minutes with exactly one desired
site, that being one of five large ones, gets two to four sites of the same country as well, once. Which sites these
are is written by hand, there as here (`broker.overflow`).
"""

from router.decide.policies import replicas
from router.decide.policies.scene import Answer, Case, Scene, at

IDLE_S = 1200.0
MOST = 4
"""Neighbours that are added."""


def answer(scene: Scene, case: Case) -> Answer:
    """Replica sites at first; the neighbours of a single large site once jobs have waited there too long."""
    if not case.sites:
        return replicas.answer(scene, case)
    # A job that has overflowed has more than one site, so that it does so once.
    if len(case.sites) != 1 or scene.world.now - case.group.oldest <= IDLE_S:
        return Answer()
    near = dict(scene.policy.overflow).get(case.sites[0], ())
    found = [site for site in near if site in scene.place and not case.codes[scene.place[site]]][:MOST]
    if not found:
        return Answer()
    return at({*case.sites, *found}, case, tag="overflow", words=f"idle at {case.sites[0]} alone for over 20 minutes")
