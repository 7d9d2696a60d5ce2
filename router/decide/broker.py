"""Brokerage: which sites a shape may run at, and why."""

from collections.abc import Iterable
from dataclasses import dataclass

from router.decide.filters import filters, first_refusal
from router.decide.weights import weights
from router.model.action import Verdict
from router.model.policy import BrokerPolicy
from router.model.site import Site
from router.model.task import Shape


@dataclass(frozen=True, slots=True)
class Choice:
    """The verdict on every site, best first, the refused ones behind by name."""

    verdicts: tuple[Verdict, ...]

    @property
    def fit(self) -> tuple[Verdict, ...]:
        """Sites that may run the shape, best first."""
        return tuple(verdict for verdict in self.verdicts if verdict.refusal is None)

    def refusal_words(self, site: str) -> str:
        """Why `site` is refused; empty when it is not. A site nobody knows is one."""
        found = next((verdict for verdict in self.verdicts if verdict.site == site), None)
        if found is None:
            return "is not a known site"
        return found.refusal.words if found.refusal else ""

    def refusal_tag(self, site: str) -> str:
        """The tag of that reason."""
        found = next((verdict for verdict in self.verdicts if verdict.site == site), None)
        if found is None:
            return "unknown-site"
        return found.refusal.tag if found.refusal else ""


def choose(shape: Shape, sites: Iterable[Site], policy: BrokerPolicy) -> Choice:
    """Weigh the sites that may run `shape`; say why each of the others may not. The order of `sites` is no matter."""
    refuse, weigh = filters(policy), weights(policy)
    total = sum(factor for _, _, factor in weigh)
    verdicts = []
    for site in sites:
        refusal = first_refusal(shape, site, refuse)
        if refusal:
            verdicts.append(Verdict(site.name, refusal))
            continue
        terms = tuple((name, weight(shape, site)) for name, weight, _ in weigh)
        score = sum(value * factor for (_, value), (_, _, factor) in zip(terms, weigh, strict=True)) / total
        verdicts.append(Verdict(site.name, None, score, terms))
    verdicts.sort(key=lambda verdict: (verdict.refusal is not None, -verdict.score, verdict.site))
    return Choice(tuple(verdicts))


def site_set(choice: Choice, current: tuple[str, ...] | None, policy: BrokerPolicy) -> tuple[str, ...]:
    """The sites to name in DESIRED_Sites, sorted; empty when nothing fits.

    A set whose every site still fits is kept: changing it costs the negotiator a new autocluster and the job its
    place, and gains little. Otherwise the best site and those close to it.
    """
    fit = {verdict.site: verdict.score for verdict in choice.fit}
    if current and all(site in fit for site in current):
        return current
    if not fit:
        return ()
    best = max(fit.values())
    near = [verdict.site for verdict in choice.fit if verdict.score >= policy.keep_within * best]
    return tuple(sorted(near[: policy.max_sites]))
