"""`random`: one site for each batch, drawn alike from all that fit, and kept."""

from router.decide.policies.draw import chance
from router.decide.policies.scene import Answer, Case, Part, Scene


def answer(scene: Scene, case: Case) -> Answer:
    """A site, the same whenever the same decision is taken again."""
    fit = scene.names_where(case.fits)
    if case.sites or not fit:
        return Answer()
    group = case.group
    epoch = group.decision.epoch if group.decision else 0
    drawn = fit[int(chance(group.cluster, epoch) * len(fit))]
    return Answer((Part((drawn,), group.count),), score=dict.fromkeys(fit, 1 / len(fit)))
