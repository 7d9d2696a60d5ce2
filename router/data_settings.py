"""The settings of data services: which plug-in answers for which names."""

from router.model import document, names
from router.model.data_service import ServiceSettings
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
