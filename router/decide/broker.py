"""Brokerage: which sites a shape may run at, and why."""

from collections.abc import Iterable

from router.decide.filters import filters, first_refusal
from router.decide.weights import weights
from router.model.action import Choice, Verdict
from router.model.policy import BrokerPolicy
from router.model.site import Site
from router.model.task import Shape


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
