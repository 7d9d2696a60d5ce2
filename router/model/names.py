"""Which names are allowed where: allow-lists, checked at the border and nowhere else.

Every checker takes what a person or a machine wrote and returns its one canonical form, or raises ValueError with
words that fit behind the field's name.
"""

import re

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+=@-]{0,199}")
LFN_PART = re.compile(r"[A-Za-z0-9_+=@][A-Za-z0-9._+=@-]{0,254}")
GROUP = re.compile(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*")
TOKEN_GROUP = re.compile(r"(?=.{2,128}$)(/[A-Za-z0-9_][A-Za-z0-9._-]*)+")
SERVICE = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
ENVIRONMENT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
ARCH = re.compile(r"x86_64(-v[1-4])?|aarch64|ppc64le|riscv64|any")
SYSTEM = re.compile(r"[a-z]{2,20}[0-9]{1,3}")
SOFTWARE = re.compile(r"[A-Za-z0-9/][A-Za-z0-9._/+@:-]{0,127}")
IMAGE = re.compile(r"(docker://|/)[A-Za-z0-9._/+@:-]{1,500}")
ADLER32 = re.compile(r"[0-9a-f]{8}")
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
MAX_TEXT = 16_384
MAX_LFN = 1_024


def plain(text: str) -> str:
    """Any text of one line: no control character, no Unicode line separator, not over 16,384 characters."""
    if found := CONTROL.search(text):
        raise ValueError(f"contains the control character U+{ord(found.group()):04X} at position {found.start()}")
    if len(text) > MAX_TEXT:
        raise ValueError(f"is {len(text):,} characters long; at most {MAX_TEXT:,} are allowed")
    return text


def _matching(pattern: re.Pattern[str], text: str, rule: str) -> str:
    plain(text)
    if not pattern.fullmatch(text):
        raise ValueError(f"{text!r} is not allowed: {rule}")
    return text


def name(text: str) -> str:
    """The name of a task, site, entry or storage element."""
    return _matching(NAME, text, "letters, digits, '.', '_' and '-', at most 64, beginning with a letter or digit")


def file_name(text: str) -> str:
    """The name of one file in a job's sandbox: no directory, nothing a shell or HTCondor's lists would split."""
    return _matching(FILE_NAME, text, "letters, digits and '._+=@-', no directory, not beginning with '.' or '-'")


def group(text: str) -> str:
    """An accounting group such as `higgs.zz`."""
    return _matching(GROUP, text, "letters, digits and '_', with '.' between the levels")


def token_group(text: str) -> str:
    """A group of a virtual organisation, as its tokens name it: `/vo/higgs`."""
    return _matching(TOKEN_GROUP, text, "parts of letters, digits and '._-', each after a '/', such as /vo/higgs")


def arch(text: str) -> str:
    """An architecture, of a level where that matters: `x86_64`, `x86_64-v3`, `aarch64`, or `any`."""
    found = _matching(ARCH, text.lower(), "x86_64, x86_64-v2 to x86_64-v4, aarch64, ppc64le, riscv64 or any")
    return found.removesuffix("-v1")


def system(text: str) -> str:
    """An operating system with its main version, such as `el9` or `debian12`."""
    return _matching(SYSTEM, text.lower(), "a name and its main version, such as el9 or debian12")


def software(text: str) -> str:
    """What an entry promises to have: a name, or an absolute path."""
    return _matching(SOFTWARE, text, "letters, digits and '._/+@:-', at most 128, such as root-6.30 or /cvmfs/a.b.ch")


def image(text: str) -> str:
    """The image of a container: `docker://name:tag`, a path to a `.sif` file or to a directory, which ends in `/`."""
    found = _matching(IMAGE, text, "it looks like docker://debian:12, /cvmfs/a/b.sif or /cvmfs/a/directory/")
    return found if found.startswith("docker:") or found.endswith(".sif") else found.rstrip("/") + "/"


def environment_name(text: str) -> str:
    """The name of an environment variable."""
    return _matching(ENVIRONMENT_NAME, text, "letters, digits and '_', not beginning with a digit")


def service(text: str) -> str:
    """A service of HTCondor's credential monitor, as `use_oauth_services` names it."""
    return _matching(SERVICE, text, "letters, digits and '_', at most 64, beginning with a letter")


def lfn(text: str) -> str:
    """A logical file or dataset name: absolute, without empty, `.` or `..` parts."""
    plain(text)
    if len(text) > MAX_LFN:
        raise ValueError(f"is {len(text):,} characters long; at most {MAX_LFN:,} are allowed")
    parts = text.split("/")
    if parts[0] or len(parts) < 2 or not all(LFN_PART.fullmatch(part) for part in parts[1:]):
        raise ValueError(f"{text!r} is not a logical name: it looks like /demo/zmumu, of letters, digits and '._+=@-'")
    return text


def adler32(text: str) -> str:
    """A file's checksum."""
    return _matching(ADLER32, text, "an adler32 checksum is eight digits of 0-9a-f")
