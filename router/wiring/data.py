"""Builds what speaks to data services."""

from router.catalogues.source import Source
from router.loops.following import Following
from router.loops.placing import Placing
from router.loops.runner import SystemClock
from router.services.discovery import Discovery
from router.settings import Settings
from router.store.store import Store


def sources(settings: Settings) -> tuple[Source, ...]:
    """The declared data services."""
    return tuple(Source(each, settings.elements) for each in settings.services)


def following(settings: Settings, memory: Store) -> Following | None:
    """What asks them for the router; None where there are none."""
    return Following(sources(settings), memory, SystemClock()) if settings.services else None


def placing(settings: Settings, memory: Store) -> Placing:
    """What decides on further copies of datasets."""
    found = {site.name: site.storage for site in settings.sites if site.storage and not site.limits.tape}
    return Placing(memory, found, settings.placement, settings.broker, SystemClock())


def discovery(settings: Settings, memory: Store) -> Discovery | None:
    """What asks them for a user; None where there are none."""
    return Discovery(sources(settings), memory, SystemClock()) if settings.services else None
