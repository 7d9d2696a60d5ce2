"""Makes grids and workloads from a calibration and a seed. All distributions stand in the fields of `Recipe`."""

from dataclasses import dataclass

import numpy as np

from benchmarks.quality.calibration import Calibration
from benchmarks.quality.grid import BatchSpec, Floats, Grid, GridSite, Ints, Network, Outage, Supply, Workload, merged

DAY = 86_400.0
REGIONS = 8


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a grid and its jobs are made. Times in seconds, sizes in bytes."""

    jobs: int = 20_000
    sites: int = 50
    days: float = 3.0
    """Jobs are submitted over this long; 0: all at once."""
    backlog_days: float = 7.0
    """Where all jobs are submitted at once, there is work for about this long at `rho`."""
    longest_s: float = 2 * DAY
    """No job runs longer."""
    rho: float = 0.7
    """Work submitted, as part of what the slots can do meanwhile."""
    outages: float = 0.0
    """Part of the sites' time that is lost to outages."""
    task_median: float = 10.0
    """Jobs of a task: log-normal with this median and a spread of 1.3, at most a tenth of all."""
    batch_jobs: int = 25
    """Most jobs of one batch; larger tasks have several, each with its own block of data."""
    users: int = 40
    """Zipf-distributed: the n-th user has 1/n of the first one's tasks."""
    reuse: float = 3.9
    """Tasks for each dataset; the n-th dataset is used 1/n as often as the first."""
    no_input: float = 0.1
    """Part of the batches that read nothing."""
    replicas: tuple[float, ...] = (0.5, 0.3, 0.2)
    """Chances of one, two, three copies; sites are drawn by storage: slots to the 0.8 times a log-normal of 0.5."""
    bytes_median: float = 2.2e9
    """Input of a job: log-normal by batch with a spread of 0.8, plus or minus 30 % by job."""
    egress: float = 1.0
    """What a storage can serve to others, as part of what its own slots read; log-normal with a spread of 0.5."""
    multicore: float = 0.0
    """Part of the batches that want eight cores."""
    large_memory: float = 0.0
    """Part of the batches that want 6 GB a core; half of the sites have 4."""
    black_holes: int = 0
    """Middling sites where every job fails during the middle two thirds of the time, unannounced."""
    heavy_user: float = 0.0
    """Part of the tasks that are one user's."""
    shares: tuple[tuple[str, float, float], ...] = ()
    """Group, promised share, share of the tasks."""
    hot_dataset: bool = False
    """All jobs read one dataset with one copy."""
    links: bool = False
    """Whether the network between two sites limits one transfer, by closeness."""


def make(recipe: Recipe, given: Calibration, seed: int) -> tuple[Grid, Workload]:
    """A grid, and jobs that load it as the recipe says. The same seed gives the same."""
    chance = np.random.default_rng(seed)
    runtime_of = _Runtime(given, chance, recipe.longest_s)
    sizes = _task_sizes(recipe, chance)
    batch_sizes = [
        min(recipe.batch_jobs, size - first) for size in sizes for first in range(0, size, recipe.batch_jobs)
    ]
    task_of = [number for number, size in enumerate(sizes) for _ in range(0, size, recipe.batch_jobs)]
    runtime, walltime = runtime_of.batches(batch_sizes)
    cores = np.where(chance.random(len(batch_sizes)) < recipe.multicore, 8, 1)
    batch = np.repeat(np.arange(len(batch_sizes)), batch_sizes)
    work = float((runtime * cores[batch]).sum())
    span = recipe.days * DAY or recipe.backlog_days * DAY
    sites = _sites(recipe, given, chance, max(work / span / recipe.rho, 8.0 * recipe.sites), work)
    specs = _specs(recipe, chance, sites, task_of, cores, walltime)
    submit = _arrivals(recipe, chance, len(sizes))[np.array(task_of)][batch]
    size = np.exp(chance.normal(np.log(recipe.bytes_median), 0.8, len(specs)))[batch]
    size *= chance.uniform(0.7, 1.3, len(batch))
    size[np.array([not spec.replicas for spec in specs])[batch]] = 0.0
    order = np.argsort(submit, kind="stable")
    outages = _outages(recipe, given, chance, span)
    network = Network(links=_links(given, sites, chance) if recipe.links else ())
    quotas = tuple((group, promised) for group, promised, _ in recipe.shares)
    grid = Grid(sites, outages, network, Supply(), quotas)
    return grid, Workload(specs, batch[order].astype(np.int64), submit[order], runtime[order], size[order])


class _Runtime:
    """Run times that are alike within a batch: its median from the calibration, its jobs with a spread of 0.4."""

    def __init__(self, given: Calibration, chance: np.random.Generator, longest_s: float) -> None:
        self._given, self._chance, self._longest_s = given, chance, longest_s

    def batches(self, sizes: list[int]) -> tuple[Floats, Ints]:
        """Each job's run time, and what each batch asks for: the next of some common limits over its longest job."""
        median = self._given.runtime_s.draw_logarithmic(self._chance, len(sizes))
        jobs = np.repeat(median, sizes) * np.exp(self._chance.normal(0.0, 0.4, sum(sizes)))
        jobs = np.clip(jobs, 10.0, self._longest_s)
        starts = np.concatenate(([0], np.cumsum(sizes)[:-1]))
        longest = np.maximum.reduceat(jobs, starts)
        limits = np.array([3600, 4 * 3600, 12 * 3600, 86_400, 2 * 86_400 + 1], dtype=np.int64)
        return jobs, limits[np.searchsorted(limits, longest)]


def _task_sizes(recipe: Recipe, chance: np.random.Generator) -> list[int]:
    sizes: list[int] = []
    left = recipe.jobs
    while left:
        drawn = int(np.exp(chance.normal(np.log(recipe.task_median), 1.3)))
        sizes.append(min(left, max(drawn, 1), max(recipe.jobs // 10, 1)))
        left -= sizes[-1]
    return sizes


def _sites(
    recipe: Recipe, given: Calibration, chance: np.random.Generator, slots: float, work: float
) -> tuple[GridSite, ...]:
    size = np.exp(chance.normal(0.0, given.capacity_spread, recipe.sites))
    if given.capacities:
        size = np.array([given.capacities[n % len(given.capacities)] for n in range(recipe.sites)])
    size = np.sort(size)[::-1]
    cores = np.maximum(np.round(size / size.sum() * slots), 8.0)
    reading = recipe.bytes_median * np.exp(0.8**2 / 2) * recipe.jobs / max(work, 1.0)
    egress = cores * reading * recipe.egress * np.exp(chance.normal(0.0, 0.5, recipe.sites))
    roomy = chance.random(recipe.sites) < 0.5
    return tuple(
        GridSite(
            f"SITE_{number:03d}",
            int(cores[number]),
            float(egress[number]),
            f"R{number % REGIONS}",
            tier=1 if number < max(recipe.sites // 10, 1) else 2,
            memory_mb=65_536 if roomy[number] else 32_768,
        )
        for number in range(recipe.sites)
    )


def _specs(
    recipe: Recipe,
    chance: np.random.Generator,
    sites: tuple[GridSite, ...],
    task_of: list[int],
    cores: Ints,
    walltime: Ints,
) -> tuple[BatchSpec, ...]:
    """The batches: each reads one block of its task's dataset."""
    tasks = task_of[-1] + 1
    datasets = max(int(tasks / recipe.reuse), 1)
    dataset = chance.choice(datasets, tasks, p=_zipf(datasets))
    user = chance.choice(recipe.users, tasks, p=_zipf(recipe.users))
    user[chance.random(tasks) < recipe.heavy_user] = 0
    group = _groups(recipe, chance, tasks)
    storage = np.array([site.slots for site in sites]) ** 0.8 * np.exp(chance.normal(0.0, 0.5, len(sites)))
    blocks: dict[tuple[int, int], tuple[int, ...]] = {}
    block = 0
    specs = []
    for number, task in enumerate(task_of):
        block = block + 1 if number and task_of[number - 1] == task else 0
        key = (0, 0) if recipe.hot_dataset else (int(dataset[task]), block)
        if key not in blocks:
            copies = 1 if recipe.hot_dataset else 1 + int(chance.choice(len(recipe.replicas), p=recipe.replicas))
            drawn = chance.choice(len(sites), min(copies, len(sites)), replace=False, p=storage / storage.sum())
            blocks[key] = tuple(sorted(int(each) for each in drawn))
        reads = recipe.hot_dataset or chance.random() >= recipe.no_input
        memory = 6000 if chance.random() < recipe.large_memory else 2000
        specs.append(
            BatchSpec(
                f"t{task}",
                f"{group[task]}u{user[task]:02d}",
                blocks[key] if reads else (),
                group=group[task],
                dataset=f"/d{key[0]}/b{key[1]}" if reads else "",
                cores=int(cores[number]),
                memory_mb=memory * int(cores[number]),
                walltime_s=int(walltime[number]),
            )
        )
    return tuple(specs)


def _groups(recipe: Recipe, chance: np.random.Generator, tasks: int) -> list[str]:
    if not recipe.shares:
        return [""] * tasks
    names = [name for name, _, _ in recipe.shares]
    parts = np.array([part for _, _, part in recipe.shares])
    return [names[each] for each in chance.choice(len(names), tasks, p=parts / parts.sum())]


def _zipf(count: int) -> Floats:
    weights = 1.0 / np.arange(1, count + 1)
    return np.asarray(weights / weights.sum(), dtype=np.float64)


def _arrivals(recipe: Recipe, chance: np.random.Generator, tasks: int) -> Floats:
    """Poisson, half as many again by day and half as many by night; all at once when `days` is 0."""
    if recipe.days == 0:
        return np.zeros(tasks)
    grid = np.linspace(0.0, recipe.days * DAY, 2000)
    rate = np.cumsum(1.0 + 0.5 * np.sin(2 * np.pi * grid / DAY))
    found: Floats = np.interp(np.sort(chance.random(tasks)) * rate[-1], rate, grid)
    return found


def _outages(recipe: Recipe, given: Calibration, chance: np.random.Generator, span: float) -> tuple[Outage, ...]:
    """Independent of each other; half kill, half stall: as many declared outages name CEs as storage."""
    mean = float(given.outage_h.draw(np.random.default_rng(0), 10_000).mean()) * 3600
    count = round(recipe.outages * recipe.sites * span / mean)
    site = chance.integers(0, recipe.sites, count)
    start = chance.uniform(0.0, span, count)
    end = start + given.outage_h.draw(chance, count) * 3600
    announced = start + given.announced_h.draw(chance, count) * 3600
    kind = chance.random(count) < 0.5
    holes = range(recipe.sites // 3, recipe.sites // 3 + recipe.black_holes)
    return merged(
        [Outage(hole, span / 6, span * 5 / 6, span * 5 / 6, "hole") for hole in holes]
        + [
            Outage(int(site[n]), float(start[n]), float(end[n]), float(announced[n]), "kill" if kind[n] else "stall")
            for n in range(count)
        ]
    )


def _links(
    given: Calibration, sites: tuple[GridSite, ...], chance: np.random.Generator
) -> tuple[tuple[int, int, float], ...]:
    """20 MB/s for the closest, 0.7 of it for each further step of PanDA's closeness (0 to 11)."""
    known = {(a, b): c for a, b, c in given.closeness}
    names = given.names or tuple(site.name for site in sites)
    links = []
    for a, source in enumerate(sites):
        for b, target in enumerate(sites):
            if a != b:
                drawn = int(chance.integers(3, 5) if source.region == target.region else chance.integers(6, 12))
                steps = known.get((names[a % len(names)], names[b % len(names)]), drawn)
                links.append((a, b, 20e6 * 0.7**steps))
    return tuple(links)
