"""What a site's jobs are told of its storage: a storage.json in CMS's form."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from router.errors import UserError
from router.model.storage_rules import Rule, Volume, from_json, from_xml, to_json
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
