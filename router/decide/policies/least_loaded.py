"""`least-loaded`: one site for each batch, the one with the fewest jobs waiting for each core; kept."""

from collections.abc import Iterator, Sequence

from router.decide.policies.scene import Answer, Case, Part, Scene
from router.model.job import JobGroup


def rule(scene: Scene, cases: Sequence[Case]) -> Iterator[Answer]:
    """The site with the shortest queue, by what waits now and what this pass has sent there already."""
    waiting = [float(site.waiting_jobs) for site in scene.sites]
    for case in cases:
        if case.sites:
            yield Answer()
            continue
        load = {
            name: (waiting[column] + 1) / (site.running_jobs + site.idle_cores + 1)
            for column, (name, site) in enumerate(zip(scene.names, scene.sites, strict=True))
            if not case.codes[column]
        }
        if not load:
            yield Answer()
            continue
        best = min(load, key=lambda name: (load[name], name))
        waiting[scene.place[best]] += case.group.count
        yield _at(best, load, case.group)


def _at(best: str, load: dict[str, float], group: JobGroup) -> Answer:
    return Answer(
        (Part((best,), group.count),),
        words=f"{load[best]:.2f} jobs wait for each that could run",
        score={name: 1 / (1 + each) for name, each in load.items()},
        terms={name: (("waiting_per_core", round(each, 3)),) for name, each in load.items()},
    )
