"""Queries on the catalogue as people write them."""

from collections.abc import Sequence

from router.errors import UserError
from router.model.query import EVERYWHERE, All, Condition, Operator, Place, Query, Search
from router.ports import UserCatalogue


def searched(query: str) -> Search:
    """What a query asks for. Raises UserError, with the column, for one that is not understood."""
    from router.model.query_grammar import parse

    try:
        return parse(query)
    except ValueError as error:
        raise UserError(f"The query {query[:200]!r} is not understood: {error}.") from None


def refuse_full(catalogue: UserCatalogue, user: str) -> None:
    """Raise UserError for somebody whose quota leaves no room for outputs."""
    for each in catalogue.quotas():
        if each.owner == user and each.full:
            raise UserError(
                f"Your files are {each.used_files:,} with {each.used_bytes:,} bytes, and your quota is full. Remove "
                "some with `glideroute rm`, or ask an administrator of the catalogue for more."
            )


def below(
    catalogue: UserCatalogue, directory: str, query: str, pattern: str | None, limit: int | None
) -> Sequence[str]:
    """The files below a directory that a query without a place, and the last part of their name, fit."""
    search = searched(query) if query else Search()
    if search.place != EVERYWHERE:
        raise UserError(f"The place to look is {directory}; leave it out of the query {query[:200]!r}.")
    wanted: list[Query] = [] if search.where is None else [search.where]
    if pattern is not None:
        if "/" in pattern:
            raise UserError(f"{pattern!r} is compared with the last part of a name, which has no '/'.")
        wanted.append(Condition("name", Operator.LIKE, (f"*/{pattern}",)))
    where = All(tuple(wanted)) if len(wanted) > 1 else next(iter(wanted), None)
    return catalogue.find(Search(Place(directory.rstrip("/")), where), limit)
