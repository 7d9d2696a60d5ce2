"""Whether a file of configuration says what its owner wrote: nobody else could have written or exchanged it."""

import stat
from pathlib import Path

from router.errors import UserError


def refuse_exposed(path: Path) -> None:
    """Raise UserError for a file, or the file a link leads to, that anyone may write or exchange for another."""
    for each in dict.fromkeys((path.absolute(), path.resolve())):
        try:
            file, folder = each.stat().st_mode, each.parent.stat().st_mode
        except OSError:
            return  # whoever reads it tells why it cannot be read
        if file & stat.S_IWOTH:
            raise UserError(f"{each} is not read: anyone may write it. Look at what it says, then: chmod o-w {each}")
        if folder & stat.S_IWOTH and not folder & stat.S_ISVTX:
            raise UserError(
                f"{each} is not read: anyone may exchange it, since anyone may write its folder. Look at what it says, "
                f"then: chmod o-w {each.parent}"
            )
