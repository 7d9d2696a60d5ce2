"""Routes a collaboration's analysis jobs; `Session` is the way in from Python."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from router.analysis import Analysis, Session, TaskHandle

__all__ = ["Analysis", "Session", "TaskHandle"]


def __getattr__(name: str) -> Any:
    """What Python users import, loaded when it is asked for: commands start without it."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from router import analysis

    return getattr(analysis, name)
