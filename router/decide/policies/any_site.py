"""`any`: every site where the job can run. Plain HTCondor: the negotiator takes whichever slot is free."""

from router.decide.policies.scene import Answer, Case, Scene, at


def answer(scene: Scene, case: Case) -> Answer:
    """All sites that fit; a site that joins later is added."""
    found = scene.names_where(case.fits)
    if case.sites and set(found) <= set(case.sites):
        return Answer(score=dict.fromkeys(found, 1.0))
    return at({*found, *case.sites}, case, tag="widened")
