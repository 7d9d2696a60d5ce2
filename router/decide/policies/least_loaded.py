"""`least-loaded`: one site for each batch, the one with the fewest jobs waiting for each core; kept."""

from collections.abc import Iterator, Sequence

import numpy as np

from router.decide.columns import Numbers
from router.decide.policies.scene import Answer, Case, Part, Scene

TOLD = 10
"""Sites of which the numbers are told, the least loaded first."""


def rule(scene: Scene, cases: Sequence[Case]) -> Iterator[Answer]:
    """The site with the shortest queue, by what waits now and what this pass has sent there already."""
    waiting = np.array([site.waiting_jobs for site in scene.sites], dtype=np.float32)
    running = np.array([site.running_jobs + site.idle_cores for site in scene.sites], dtype=np.float32)
    for case in cases:
        load: Numbers = np.where(case.fits, (waiting + 1) / (running + 1), np.float32(np.inf))
        if case.sites or not case.fits.any():
            yield Answer()
            continue
        # Sites are in the order of their names, which breaks ties.
        best = int(load.argmin())
        waiting[best] += case.group.count
        yield _at(scene, case, load, best)


def _at(scene: Scene, case: Case, load: Numbers, best: int) -> Answer:
    order = np.argsort(load, kind="stable")[:TOLD]
    told = {scene.names[site]: float(load[site]) for site in order if not case.codes[site]}
    return Answer(
        (Part((scene.names[best],), case.group.count),),
        words=f"{load[best]:.2f} jobs wait for each that could run",
        score={name: 1 / (1 + each) for name, each in told.items()},
        terms={name: (("waiting_per_core", round(each, 3)),) for name, each in told.items()},
    )
