"""The owner's token for storage, which HTCondor brings and keeps fresh beside the job."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

VARIABLE = "BEARER_TOKEN_FILE"
"""Where XRootD's client and most others look for it (WLCG Bearer Token Discovery)."""


def take(service: str) -> None:
    """Have programs find the token of a service of HTCondor's, and no other: the pilot's is not the job's to show."""
    for name in ("BEARER_TOKEN", VARIABLE):
        os.environ.pop(name, None)
    if service and (folder := os.environ.get("_CONDOR_CREDS")):
        os.environ[VARIABLE] = str(Path(folder) / f"{service}.use")


def bearer() -> str:
    """The token of the moment; empty where there is none."""
    try:
        text = Path(os.environ[VARIABLE]).read_text(encoding="ascii").strip()
        if text.startswith("{"):  # some of HTCondor's credential monitors keep the answer of the issuer
            text = str(json.loads(text)["access_token"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return text if re.fullmatch(r"[A-Za-z0-9._~+/=-]+", text) else ""


def shown_to(url: str) -> dict[str, str]:
    """The header that shows it to a storage, whose connection nobody can listen to."""
    token = bearer() if url.startswith(("https:", "davs:")) else ""
    return {"Authorization": f"Bearer {token}"} if token else {}
