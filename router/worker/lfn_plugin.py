#!/usr/bin/env python3
"""HTCondor's file-transfer plug-in for `lfn://`: fetches files by logical name, and tells what each copy answered.

With `transfer_plugins = lfn=lfn_plugin.py` and a list of copies in the job's ad, `transfer_input_files =
lfn:///demo/x.root` works in any submit file. It is one file, needs the standard library of Python 3.9 and nothing else.
The protocol is that of HTCondor's manual, "File Transfer Plugins", version 2 with the error data of version 4.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import sys
import urllib.error
import urllib.parse
import urllib.request
import uuid
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

CAPABILITIES = """\
MultipleFileSupport = true
PluginVersion = "1.0"
PluginType = "FileTransfer"
ProtocolVersion = 2
SupportedMethods = "lfn"
"""
COPIES = "RouterCopies"
"""The job attribute with where the files are: JSON, by logical name."""
SCHEMES = ("file", "http", "https")
TIMEOUT_S = 60
CHUNK = 1 << 20
STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')
ERROR_TYPES = {
    **{"missing": "Resolution", "down": "Contact", "permission": "Authorization", "checksum": "Transfer"},
    # Nothing that can be held against the storage element.
    **{"unsupported": "Specification", "node": "Transfer"},
}


class Refused(Exception):
    """One copy did not give the file."""

    def __init__(self, cause: str, words: str) -> None:
        super().__init__(words)
        self.cause = cause


def attribute(ad: str, name: str) -> str:
    """The text of an attribute of an ad in the long form; empty where there is none."""
    found = re.search(rf"^{name} = {STRING.pattern}\s*$", ad, re.MULTILINE | re.IGNORECASE)
    return re.sub(r"\\(.)", r"\1", found.group(1)) if found else ""


def requests(text: str) -> Iterator[tuple[str, str]]:
    """The URL and the local name of each file that HTCondor asks for, from new ClassAds."""
    for ad in re.findall(r'\[(?:[^\]"]|"(?:[^"\\]|\\.)*")*\]', text):
        values = dict(re.findall(rf"(\w+)\s*=\s*{STRING.pattern}", ad))
        yield (re.sub(r"\\(.)", r"\1", values["Url"]), re.sub(r"\\(.)", r"\1", values["LocalFileName"]))


def logical_name(url: str) -> str:
    """The logical name in a URL; ValueError where it is none."""
    scheme, found, name = url.partition("://")
    parts = name.split("/")
    harmful = any(part in ("", ".", "..") or not part.isprintable() for part in parts[1:])
    if scheme != "lfn" or not found or parts[0] or len(parts) < 2 or harmful or re.search(r"[\\%]", name):
        raise ValueError(f"{url!r} names no file: it must look like lfn:///demo/x.root")
    return name


def fetch(url: str, size: int, adler32: str, into: Path) -> None:
    """Copy one replica and check it; Refused, and no file, when that fails."""
    part = into.with_name(f".{into.name}.{uuid.uuid4().hex}")
    if url.partition("://")[0] not in SCHEMES:
        raise Refused("unsupported", f"only {', '.join(SCHEMES)} can be read here")
    try:
        with opened(url) as source:
            found = copied(source, part, size)
        if found != (size, adler32):
            raise Refused("checksum", f"{found[0]} bytes with adler32 {found[1]} instead of {size} and {adler32}")
        part.replace(into)
    except FileNotFoundError:
        raise Refused("missing", "it is not there") from None
    except PermissionError as why:
        raise Refused("permission", str(why.strerror or why)) from None
    except urllib.error.HTTPError as why:
        cause = {401: "permission", 403: "permission", 404: "missing"}.get(why.code, "down")
        raise Refused(cause, f"{why.code} {why.reason}") from None
    except (OSError, ValueError, http.client.HTTPException) as why:
        raise Refused("down", str(why) or repr(why)) from None
    finally:
        part.unlink(missing_ok=True)


def opened(url: str) -> IO[bytes]:
    """A replica's bytes; OSError or ValueError where there are none."""
    scheme, _, rest = url.partition("://")
    if scheme not in SCHEMES or "@" in rest.partition("/")[0]:
        raise ValueError(f"only {', '.join(SCHEMES)}, without a user, can be read here")
    if scheme == "file":
        return Path(urllib.parse.unquote(rest[rest.index("/") :])).open("rb")
    stream: IO[bytes] = urllib.request.build_opener(Redirect).open(url, timeout=TIMEOUT_S)
    return stream


class Redirect(urllib.request.HTTPRedirectHandler):
    """Redirects are usual; one that leaves the storage is an error."""

    def redirect_request(self, request: urllib.request.Request, answer: IO[bytes], *told: Any) -> Any:
        """The request for where the server sends us."""
        host, target = urllib.parse.urlsplit(request.full_url), urllib.parse.urlsplit(told[-1])
        within = same_storage(host.hostname or "", target.hostname or "")
        if not within or target.scheme not in ("http", "https"):
            raise urllib.error.URLError(f"it redirects to {told[-1]!r}, which is not of {host.hostname}")
        return super().redirect_request(request, answer, *told)


def same_storage(host: str, other: str) -> bool:
    """Whether a storage at `host` may send its readers on to `other`: to itself, or to a server of its domain."""
    domain = host.partition(".")[2]
    return host == other or bool(re.fullmatch(r"([\w-]+\.)+[a-z]+", domain) and other.endswith(f".{domain}"))


def copied(source: IO[bytes], part: Path, limit: int) -> tuple[int, str]:
    """Copy to the end; size and adler32. Refused when `limit` bytes are passed, or where the node's disk fails."""
    size, adler = 0, 1
    try:
        target = part.open("xb")
    except OSError as why:
        raise Refused("node", f"{part.parent} cannot be written: {why.strerror or why}") from None
    with target:
        while chunk := source.read(CHUNK):
            size, adler = size + len(chunk), zlib.adler32(chunk, adler)
            if size > limit:
                raise Refused("checksum", f"it is longer than the {limit} bytes of the catalogue")
            try:
                target.write(chunk)
                target.flush()
            except OSError as why:
                raise Refused("node", f"the node's disk: {why.strerror or why}") from None
    return size, f"{adler:08x}"


def transfer(url: str, into: Path, known: dict[str, Any], site: str) -> dict[str, Any]:
    """Fetch one file from its copies, this site's first; what became of it, for HTCondor."""
    answers: list[dict[str, Any]] = []
    result = {"TransferFileName": into.name, "TransferUrl": url, "TransferSuccess": False, "TransferError": ""}
    try:
        name = logical_name(url)
        file = known[name]
        copies = sorted(file["replicas"], key=lambda replica: replica["site"] != site)
        for replica in copies:
            try:
                fetch(replica["pfn"], file["size"], file["adler32"], into)
            except Refused as why:
                answers.append({"Se": replica["se"], "Cause": why.cause, "Words": str(why)})
                continue
            answers.append({"Se": replica["se"], "Cause": "", "Words": ""})
            result.update(TransferSuccess=True, TransferTotalBytes=file["size"])
            return {**result, "DeveloperData": {"Replicas": answers}}
        tried = "; ".join(f"{each['Se']}: {each['Cause']}: {each['Words']}" for each in answers)
        words = f"{name} cannot be read: {tried or 'it has no copy'}"
    except KeyError as missing:
        words = f"{url}: the job does not say where {missing} is; submit it with glideroute submit"
    except (ValueError, TypeError) as why:
        words = f"{url}: {why}"
    data = [
        {"ErrorType": ERROR_TYPES[each["Cause"]], "Retryable": each["Cause"] == "down", "PluginVersion": "1.0"}
        for each in answers
    ]
    return {**result, "TransferError": words, "DeveloperData": {"Replicas": answers}, "TransferErrorData": data}


def classad(value: Any) -> str:
    """A value as new ClassAd text."""
    if isinstance(value, dict):
        return "[ " + "; ".join(f"{name} = {classad(each)}" for name, each in value.items()) + " ]"
    if isinstance(value, list):
        return "{ " + ", ".join(classad(each) for each in value) + " }"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    plain = re.sub(r"[\x00-\x1f\x7f]", " ", str(value))
    return '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"'


def copies_of(path: str) -> dict[str, Any]:
    """Where the job's files are, by its ad; nothing where it does not say."""
    try:
        ad = Path(path).read_text(encoding="utf-8", errors="replace")
        found = json.loads(attribute(ad, COPIES) or "{}")
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def main(arguments: list[str]) -> int:
    """Answer HTCondor; 0 where every file arrived."""
    if arguments == ["-classad"]:
        sys.stdout.write(CAPABILITIES)
        return 0
    if len(arguments) != 4 or arguments[0] != "-infile" or arguments[2] != "-outfile":
        sys.stderr.write("usage: lfn_plugin.py -infile FILE -outfile FILE; files are fetched, not stored\n")
        return 2
    known = copies_of(os.environ.get("_CONDOR_JOB_AD", ""))
    try:
        machine = Path(os.environ.get("_CONDOR_MACHINE_AD", "")).read_text(encoding="utf-8", errors="replace")
    except OSError:
        machine = ""
    site = attribute(machine, "GLIDEIN_Site")
    results = [
        transfer(url, Path(name), known, site)
        for url, name in requests(Path(arguments[1]).read_text(encoding="utf-8", errors="replace"))
    ]
    # HTCondor has made the file and keeps it open: it is written over, not made anew.
    with Path(arguments[3]).open("r+", encoding="utf-8") as answer:
        answer.write("\n".join(classad(each) for each in results) + "\n")
    return 0 if all(each["TransferSuccess"] for each in results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
