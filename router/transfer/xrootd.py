"""Storage that speaks XRootD's own protocol, by its own client (the extra `xrootd`)."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import quote, urlsplit

from router.errors import UserError
from router.model.transfer import TransferCause, TransferError
from router.transfer.endpoint import BLOCK, Facts, checked, missing, parts_of

NOT_FOUND = 3011
"""kXR_NotFound; the numbers are those of the protocol's specification, "Error codes"."""
CAUSES = {
    3003: TransferCause.OTHER,  # kXR_FileLocked
    3005: TransferCause.DOWN,  # kXR_FSError
    3007: TransferCause.DOWN,  # kXR_IOError
    3009: TransferCause.QUOTA,  # kXR_NoSpace
    3010: TransferCause.PERMISSION,  # kXR_NotAuthorized
    3012: TransferCause.DOWN,  # kXR_ServerError
    3014: TransferCause.DOWN,  # kXR_noserver
    3021: TransferCause.QUOTA,  # kXR_overQuota
    3024: TransferCause.DOWN,  # kXR_Overloaded
    3025: TransferCause.PERMISSION,  # kXR_fsReadOnly
    3030: TransferCause.PERMISSION,  # kXR_AuthFailed
    3034: TransferCause.TIME_OUT,  # kXR_TimerExpired
}
EXPIRED = (206, 211)
"""The client's own errOperationExpired and errPollTimeout … (XrdClStatus.hh)."""
REFUSED = (204, 205, 210)
"""… errAuthFailed, errLoginFailed, errTlsError."""
TOKEN = re.compile(r"(authz=)[^&\s]+")


class XrootdEndpoint:
    """A directory of an XRootD server or redirector as a storage element."""

    def __init__(self, prefix: str, token: Callable[[], str], timeout_s: float) -> None:
        """Keep files below the URL `prefix`; no answer of the server may take longer than `timeout_s` seconds.

        Raises UserError where XRootD's client is not installed.
        """
        try:
            from XRootD import client
            from XRootD.client import flags
        except ImportError:
            raise UserError(
                f"{prefix} needs XRootD's client, which is not installed: pip install 'glideroute[xrootd]'"
            ) from None
        # What is down is to be told, and tried again by us, not waited for.
        client.EnvPutInt("ConnectionWindow", int(timeout_s))
        client.EnvPutInt("ConnectionRetry", 1)
        self._client, self._flags = client, flags
        found = urlsplit(prefix)
        self._server = f"{found.scheme}://{found.netloc}"
        self._base, self._token, self._timeout_s = "/" + found.path.strip("/"), token, int(timeout_s)
        self._system = client.FileSystem(self._server)

    def read(self, lfn: str) -> Iterator[bytes]:
        """A file's bytes, block by block."""
        return self._blocks(lfn, "")

    def _blocks(self, lfn: str, part: str) -> Iterator[bytes]:
        file = self._client.File()
        self._good(lfn, file.open(self._url(parts_of(lfn, part)), self._flags.OpenFlags.READ, timeout=self._timeout_s))
        try:
            at = 0
            while block := self._good(lfn, file.read(at, BLOCK, timeout=self._timeout_s)):
                yield block
                at += len(block)
        finally:
            file.close(timeout=self._timeout_s)

    def write(self, lfn: str, part: str, blocks: Iterable[bytes], size: int) -> None:
        """Write a part, and let the server see it on its disk."""
        file, flags = self._client.File(), self._flags.OpenFlags
        how = flags.DELETE | flags.MAKEPATH | flags.WRITE
        self._good(lfn, file.open(self._url(parts_of(lfn, part)), how, timeout=self._timeout_s))
        try:
            at = 0
            for block in blocks:
                self._good(lfn, file.write(block, at, timeout=self._timeout_s))
                at += len(block)
            self._good(lfn, file.sync(timeout=self._timeout_s))
        except BaseException:
            file.close(timeout=self._timeout_s)
            raise
        self._good(lfn, file.close(timeout=self._timeout_s))

    def facts(self, lfn: str, part: str = "") -> Facts | None:
        """Size and adler32 as the server computes them; where it does not, all is read."""
        where = self._path(parts_of(lfn, part))
        status, found = self._system.stat(where, timeout=self._timeout_s)
        if status.errno == NOT_FOUND:
            return None
        self._good(lfn, (status, found))
        asked = f"{where}{'&' if '?' in where else '?'}cks.type=adler32"
        status, said = self._system.query(self._flags.QueryCode.CHECKSUM, asked, timeout=self._timeout_s)
        if status.ok and (words := bytes(said).rstrip(b"\0").decode("ascii", "replace").split())[:1] == ["adler32"]:
            return int(found.size), words[1].lower().rjust(8, "0")
        return checked(self._blocks(lfn, part))

    def publish(self, lfn: str, part: str) -> None:
        """Give a part the final name."""
        names = self._path(parts_of(lfn, part)), self._path(parts_of(lfn))
        self._good(lfn, self._system.mv(*names, timeout=self._timeout_s))

    def remove(self, lfn: str, part: str = "") -> None:
        """Remove a file or a part; what is gone already is gone."""
        status, found = self._system.rm(self._path(parts_of(lfn, part)), timeout=self._timeout_s)
        if status.errno != NOT_FOUND:
            self._good(lfn, (status, found))

    def _path(self, where: tuple[str, ...]) -> str:
        token = self._token()
        path = f"{self._base.rstrip('/')}/{'/'.join(where)}"
        return f"{path}?authz=Bearer%20{quote(token, safe='')}" if token else path

    def _url(self, where: tuple[str, ...]) -> str:
        return f"{self._server}/{self._path(where)}"

    def _good(self, lfn: str, answer: tuple[Any, Any]) -> Any:
        """What the server gave. Raises TransferError where it gave nothing."""
        status, found = answer
        if status.ok:
            return found
        said = TOKEN.sub(r"\1…", str(status.message)).removeprefix("[ERROR] ").strip()
        words = f"{lfn}: {said}"
        if status.errno == NOT_FOUND:
            raise missing(lfn)
        if status.code in EXPIRED:
            raise TransferError(TransferCause.TIME_OUT, words)
        if status.code in REFUSED:
            raise TransferError(TransferCause.PERMISSION, words)
        unknown = TransferCause.OTHER if status.errno else TransferCause.DOWN
        raise TransferError(CAUSES.get(status.errno, unknown), words)
