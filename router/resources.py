"""Where the data folders lie: beside the package in a checkout, inside it in an installed wheel."""

from importlib import metadata
from pathlib import Path

from router.errors import RouterError

_PACKAGE = Path(__file__).resolve().parent


def folder(name: str) -> Path:
    """The data folder `name` (`glidein_scripts`, `jdl_templates`, `schedd_config`, `negotiator_policies`).

    Raises RouterError when this installation lacks it.
    """
    places = (_PACKAGE / "_data" / name, _PACKAGE.parent / name)
    for place in places:
        if place.is_dir():
            return place
    looked = " and ".join(str(place) for place in places)
    raise RouterError(
        f"This installation of glideroute lacks its folder {name} (looked at {looked}). Install glideroute again."
    )


def version() -> str:
    """The version of this glideroute."""
    return metadata.version("glideroute")
