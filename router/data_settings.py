"""The settings of data: which service answers for which names, and when datasets get further copies."""

from dataclasses import replace

from router.model import document, names
from router.model.data_service import ServiceSettings
from router.model.placement import PlacementPolicy
from router.model.rights import HOMES, within


def services(top: document.Section) -> tuple[ServiceSettings, ...]:
    """The section `data_services` of the settings."""
    found: list[ServiceSettings] = []
    for name, section in top.named("data_services", names.name):
        made = _service(name, section)
        taken = [HOMES, *(each.prefix for each in found)]
        other = next((each for each in taken if _overlap(each, made.prefix)), None)
        if made.prefix and other:
            section.fault("prefix", f"overlaps with {other}; every name has one service at most")
        found.append(made)
    return tuple(found)


def _overlap(one: str, other: str) -> bool:
    return one == other or within(one, other) or within(other, one)


def _service(name: str, section: document.Section) -> ServiceSettings:
    default = ServiceSettings(name, "", "")
    return ServiceSettings(
        name=name,
        plugin=section.text("plugin", check=names.name),
        prefix=section.text("prefix", check=names.lfn),
        elements=dict(section.pairs("elements", names.plain, names.name)),
        options=dict(section.pairs("options", names.name, names.plain)),
        deadline_s=section.seconds("deadline", int(default.deadline_s)),
        keep_s=section.seconds("keep", int(default.keep_s)),
        most_files=section.integer("most_files", default.most_files, at_least=1, at_most=1_000_000),
    )


def placement(section: document.Section | None, default: PlacementPolicy) -> PlacementPolicy:
    """The section `placement` of the settings."""
    if section is None:
        return default
    return replace(
        default,
        per_day_mb=section.size_mb("per_day", default.per_day_mb),
        site_per_day_mb=section.size_mb("site_per_day", default.site_per_day_mb),
        wait_s=section.seconds("wait", int(default.wait_s)),
        least_jobs=section.integer("least_jobs", default.least_jobs, at_least=1),
        least_gain_s=section.seconds("least_gain", int(default.least_gain_s)),
        least_gain=section.number("least_gain_share", default.least_gain),
        least_read=section.number("least_read", default.least_read),
        mb_s=section.number("mb_per_s", default.mb_s),
        most_open=section.integer("most_open", default.most_open, at_least=1),
        keep_s=section.seconds("keep", int(default.keep_s)),
        look_s=section.seconds("look", int(default.look_s)),
    )
