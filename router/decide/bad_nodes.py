"""Nodes that fail every job: where they are few, their failures say nothing of their site.

A black hole swallows job after job in seconds, while the good nodes beside it work on theirs for hours. What stops the
node itself is its own glidein (glidein_scripts/job_ended.bash).
"""

from dataclasses import replace

from router.model.policy import BrokerPolicy
from router.model.site import Site


def told_apart(site: Site, policy: BrokerPolicy) -> Site:
    """A site judged without its black holes, where they are few among its nodes; as it is, where they are not."""
    bad = [each for each in site.outcomes.failing_nodes if each[1] + each[2] >= policy.node_failures]
    if not bad or len(bad) >= site.nodes or len(bad) > max(1, int(policy.few_nodes * site.nodes)):
        return site
    failed, doubtful = sum(each[1] for each in bad), sum(each[2] for each in bad)
    seen = replace(
        site.outcomes,
        failed=max(0, site.outcomes.failed - failed),
        streak=max(0, site.outcomes.streak - failed - doubtful),
    )
    return replace(site, outcomes=seen, black_holes=tuple(name for name, *_ in bad))
