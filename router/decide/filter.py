"""What a filter is: one reason not to send a shape to a site."""

from collections.abc import Callable
from dataclasses import dataclass

from router.decide.columns import Booleans, ShapeColumns, SiteColumns
from router.model.action import Refusal
from router.model.site import Site
from router.model.task import Shape


@dataclass(frozen=True, slots=True)
class Filter:
    """One reason."""

    tag: str | Callable[[Site], str]
    passes: Callable[[ShapeColumns, SiteColumns], Booleans]
    words: Callable[[Shape, Site], str]
    harmless: bool = False
    """Nothing starts at such a site anyway: jobs that may run elsewhere as well need not be taken away from it."""
    soft: bool = False
    """Refuses a site only where another one fits."""
    newcomers: bool = False
    """Is not asked of jobs that have the site already."""

    def refusal(self, shape: Shape, site: Site) -> Refusal:
        """What to tell of a pair that does not pass."""
        return Refusal(self.tag_at(site), self.words(shape, site))

    def tag_at(self, site: Site) -> str:
        """The tag of a refusal at a site."""
        return self.tag if isinstance(self.tag, str) else self.tag(site)
