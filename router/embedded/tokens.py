"""Who is who in an embedded pool: its signing key, and one token a person in a folder of its own.

HTCondor takes any token of the folder it is pointed to, so a folder shared by two identities would mix them up.
"""

import os
import re
import secrets
import stat
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from router.embedded.programs import call, complaint
from router.errors import RouterError, UserError
from router.render.pool_config import condor_value

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,71}")
ADDED = ".key"
"""Ends the names of the keys beside the pool's first, POOL; the pool's configuration lets the daemons see them."""
GLIDEIN = "glidein-"
"""Begins the identities of glideins; the rest is the site, whose name has at most 64 characters."""
# What a token is good for, whatever the pool would let its owner do; all others may read and write.
RIGHTS: Mapping[str, tuple[str, ...]] = {
    "condor": (),  # the daemons: unlimited
    "admin": (),
    GLIDEIN: ("READ", "ADVERTISE_STARTD", "ADVERTISE_MASTER"),
}
USER_RIGHTS = ("READ", "WRITE")
# Seconds. A glidein's token goes to other machines. It is renewed half-way, so that a glidein has a week at least.
LIFETIMES: Mapping[str, int] = {GLIDEIN: 14 * 86_400}


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of the pool in `home`, made with the program `create` (condor_token_create)."""

    home: Path
    domain: str
    create: Path

    def make_key(self) -> None:
        """Make the key that signs this pool's tokens, once."""
        key = self.home / "keys/POOL"
        if key.exists():
            for each in (key, *self._added):
                _refuse_open(each)
        else:
            key.parent.mkdir(mode=0o700, exist_ok=True)
            write_private(key, _secret())

    @property
    def key(self) -> Path:
        """The key that signs: the last that was added, or the pool's first."""
        return max(self._added, default=self.home / "keys/POOL")

    def add_key(self) -> Path:
        """Add a key that signs from now on; tokens of those before stay valid."""
        key = self.home / "keys" / f"{time.time_ns()}{ADDED}"
        write_private(key, _secret())
        return key

    def renew(self, users: Iterable[str] = ()) -> tuple[str, ...]:
        """Make the tokens of these users, or of all who have one, anew, and return whose they are.

        Who uses a token reads it at each new connection.
        """
        people = tuple(users) or tuple(sorted(each.parent.name for each in (self.home / "tokens").glob("*/token")))
        for user in people:
            self.restore(user, self._signed(user))
        return people

    def text(self, user: str) -> str:
        """The token of a user; made if need be."""
        return (self.folder(user) / "token").read_text()

    def restore(self, user: str, text: str) -> None:
        """Put a token in the place of the one a user has."""
        write_private(self.home / "tokens" / user / "token", text)

    def retire(self) -> None:
        """Take away all keys but the one that signs: the tokens they signed are no longer taken.

        Raise UserError where there is no other.
        """
        if not self._added:
            raise UserError("The pool has one key only, and it signs. Make a new one first: glideroute pool rotate")
        *older, _ = sorted(self._added)
        self.renew()  # a rotation that was cut short has left some as they were
        # HTCondor makes a key of this name by itself where it finds none.
        write_private(self.home / "keys/POOL", _secret())
        for each in older:
            each.unlink()

    @property
    def _added(self) -> list[Path]:
        return list((self.home / "keys").glob(f"*{ADDED}"))

    def folder(self, user: str) -> Path:
        """Return the folder that holds the token of user@domain and nothing else; make the token if need be.

        Raise UserError for a name HTCondor would not take, RouterError when the token cannot be made.
        """
        if not NAME.fullmatch(user):
            raise UserError(
                f"{user!r} cannot be a user of the pool: a name has letters, digits, '_', '.' and '-' only, "
                "starts with a letter, and is at most 72 characters long."
            )
        folder = self.home / "tokens" / user
        token = folder / "token"
        if not _is_fresh(token, LIFETIMES.get(_kind(user))):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_private(token, self._signed(user))
        return folder

    def _signed(self, user: str) -> str:
        limits = [part for right in RIGHTS.get(_kind(user), USER_RIGHTS) for part in ("-authz", right)]
        if lifetime := LIFETIMES.get(_kind(user)):
            limits += ["-lifetime", str(lifetime)]
        # From no configuration file: one that is broken shall be reported by the daemons, who say more.
        environment = {
            "CONDOR_CONFIG": "ONLY_ENV",
            "_CONDOR_TRUST_DOMAIN": self.domain,
            "_CONDOR_SEC_TOKEN_POOL_SIGNING_KEY_FILE": condor_value(self.home / "keys/POOL"),
            "_CONDOR_SEC_PASSWORD_DIRECTORY": condor_value(self.home / "keys"),
            "PATH": os.defpath,
        }
        whose = ("-identity", f"{user}@{self.domain}", "-key", self.key.name)
        finished = call([self.create, *whose, *limits], environment, 30)
        if finished.returncode != 0 or finished.stdout.count(".") != 2:
            raise RouterError(
                f"No token could be made for {user}: {complaint(finished)}. "
                f"The pool's key {self.key} must be readable by you."
            )
        return finished.stdout


def _secret() -> str:
    # Printable text, because HTCondor once ended keys at the first zero byte.
    return secrets.token_urlsafe(64)


def _kind(user: str) -> str:
    """What the rights of an identity go by."""
    return GLIDEIN if user.startswith(GLIDEIN) else user


def _is_fresh(token: Path, lifetime: int | None) -> bool:
    if not token.exists():
        return False
    return lifetime is None or time.time() - token.stat().st_mtime < lifetime / 2


def _refuse_open(key: Path) -> None:
    """Raise RouterError for a key that others can read: who has it can make a token for anyone."""
    if key.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise RouterError(
            f"The pool's signing key {key} is open to others, who could make tokens for anyone. If nobody has read it: "
            f"chmod 600 {key}; otherwise remove it and {key.parent.parent / 'tokens'}, and start the pool again."
        )


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:  # noqa: PTH123
        opened.write(text)
    part.replace(path)
