"""`replicas`: the sites that have the data, for good. Plain HTCondor as experiments use it without overflow."""

from router.decide.policies.scene import Answer, Case, Scene, at


def answer(scene: Scene, case: Case) -> Answer:
    """Sites that hold all the input; else those that hold most of it; else, and without input, all that fit."""
    return Answer() if case.sites else at(sites_of(scene, case), case)


def sites_of(scene: Scene, case: Case) -> tuple[str, ...]:
    """The sites that hold the largest share of the input among those that fit."""
    most = float(case.local[case.fits].max(initial=0.0))
    return scene.names_where(case.fits & (case.local >= most))
