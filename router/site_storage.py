"""What a site's jobs are told of its storage: a storage.json in CMS's form."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from router.errors import UserError
from router.model.files import Located
from router.model.storage_rules import Rule, Volume, from_json, from_xml, pfn, to_json
from router.settings import SiteSettings


def descriptions(sites: Iterable[SiteSettings]) -> Mapping[str, list[dict[str, object]]]:
    """The storage.json of each site that has storage: its own volumes, then those it falls back to.

    Raises UserError where a site's rules cannot be read.
    """
    known = {site.name: (site, _volumes(site)) for site in sites if site.storage}
    return {
        name: [*to_json(own), *(each for other in site.fallback for each in to_json(_of(known, other), name))]
        for name, (site, own) in known.items()
    }


def misplaced(sites: Iterable[SiteSettings]) -> Callable[[Located], str]:
    """What says of an output why none of its sites' jobs can have left it where it is said to be; empty where one can.

    Raises UserError where a site's rules cannot be read.
    """
    volumes: dict[str, list[Volume]] = {}
    for each in (volume for site in sites for volume in _volumes(site)):
        volumes.setdefault(each.rse, []).append(each)

    def fault(output: Located) -> str:
        for replica in output.replicas:
            if replica.se not in volumes:
                return f"names the storage element {replica.se}, which no site declares"
            here = [volume for volume in volumes[replica.se] if volume.site == replica.site]
            if not any(replica.pfn == pfn(output.file.lfn, each.rules, [name]) for each in here for name in each.rules):
                return f"says that {output.file.lfn} is {replica.pfn[:200]}, which no rule of {replica.se} gives"
        return ""

    return fault


def _of(known: Mapping[str, tuple[SiteSettings, tuple[Volume, ...]]], site: str) -> tuple[Volume, ...]:
    if site not in known:
        raise UserError(f"A site falls back to {site}, of which the settings declare no storage.")
    return known[site][1]


def _volumes(site: SiteSettings) -> tuple[Volume, ...]:
    if site.storage is None:
        return ()
    name, prefix = site.storage.name, site.storage.prefix
    kind = "TAPE" if site.limits.tape else "DISK"
    if not site.rules_file:
        protocol, rule = prefix.partition("://")[0], Rule("/?(.*)", prefix.rstrip("/") + "/$1")
        return (Volume(site.name, name, name, kind, {protocol: (rule,)}, ((protocol, "global-rw"),)),)
    path = Path(site.rules_file)
    try:
        text = path.read_text()
        if path.suffix == ".json":
            return from_json(text)
        rules, _ = from_xml(text)
    except (OSError, ValueError) as error:
        raise UserError(f"The storage rules of {site.name}, {path}, cannot be used: {error}.") from None
    return (Volume(site.name, name, name, kind, rules, tuple((protocol, "global-rw") for protocol in rules)),)
