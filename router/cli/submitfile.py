"""Ordinary submit files, handed to condor_submit itself, in the user's own process and with the user's credential."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import click

from router import wiring
from router.api import Router
from router.cli.show import console, print_json, table
from router.errors import NotFound, RouterError, TemporaryError, UserError
from router.model import names
from router.render.encode import quoted
from router.render.parts import copies_of
from router.settings import Settings
from router.worker import lfn_plugin

DEADLINE_S = 120
LOGICAL = re.compile(r"\blfn://(/[A-Za-z0-9._+=@/-]+)")
WORDS = ("RouterDataset", "RouterAllowSites", "RouterBlockSites", "RouterArch", "RouterOS", "RouterSoftware")
"""Commands of ours that the schedd teaches condor_submit (schedd_config/40-vocabulary.config)."""


def submit_file(settings: Settings, file: Path, as_json: bool) -> None:
    """Submit it as a task of its own, so that status, why and kill know it."""
    with wiring.user_session(settings) as router:
        task = router.open_file_task(_name(file), file.resolve().parent)
        marks = ("-append", f"My.RouterTask = {quoted(task.id)}", "-append", 'My.RouterBatch = "b0"')
        answer = _condor_submit(settings, "-terse", *marks, *plugin_for(router, file), str(file))
        ranges = re.findall(r"^(\d+)\.(\d+) - \d+\.(\d+)$", answer, re.MULTILINE)
        if not ranges:
            raise RouterError(f"condor_submit said nothing of a cluster: {answer.strip() or 'no output'}")
        clusters = sorted({int(cluster) for cluster, _, _ in ranges})
        router.close_file_task(task, clusters[0], sum(int(last) - int(first) + 1 for _, first, last in ranges))
    if as_json:
        print_json({"task": task.id, "clusters": clusters})
    else:
        click.echo(f"{task.id}: cluster {', '.join(map(str, clusters))}")
        click.echo(f"Follow it with: glideroute watch {task.id}")


def dry_run_file(settings: Settings, file: Path, as_json: bool) -> None:
    """Show the jobs it describes, and where they could run."""
    words = [part for line in _vocabulary(file) for part in ("-append", line)]
    told = _condor_submit(settings, "-dry-run", "-", *words, str(file))
    with wiring.user_session(settings) as router:
        found = router.choices_for_dry_run(told)
    if as_json:
        print_json([{"jobs": count, "sites": sites, "verdicts": choice.verdicts} for count, sites, choice in found])
        return
    rows = table("#jobs", "would go to", "not to")
    for count, sites, choice in found:
        refused = "; ".join(f"{v.site} {v.refusal.words}" for v in choice.verdicts if v.refusal)
        rows.add_row(str(count), ", ".join(sites) or "nowhere now; it would wait", refused)
    console().print(rows)


def plugin_for(router: Router, file: Path) -> list[str]:
    """What makes `lfn://` inputs work: our plug-in, and where the copies of these files are.

    Raises NotFound where the catalogue has not one of them.
    """
    text = file.read_text(errors="replace")
    wanted = sorted(set(LOGICAL.findall(text)))
    if not wanted:
        return []
    found = {located.file.lfn: located for located in router.memory.files(wanted)}
    if missing := [lfn for lfn in wanted if lfn not in found or not found[lfn].replicas]:
        raise NotFound(f"{file} asks for {missing[0]}, of which there is no copy. `glideroute ls` lists files.")
    copies = quoted(json.dumps(copies_of(found.values())))
    plugin = f"transfer_plugins = lfn={Path(lfn_plugin.__file__).resolve()}"
    return ["-append", f"My.RouterCopies = {copies}", "-append", plugin]


def _vocabulary(file: Path) -> list[str]:
    """Submit commands that do for our words in `file` what the schedd would: a dry run does not ask it."""
    text = file.read_text(errors="replace")
    used = [word for word in WORDS if re.search(rf"^\s*{word}\s*=", text, re.MULTILINE | re.IGNORECASE)]
    return [f'My.{word} = "$({word})"' for word in used]


def _condor_submit(settings: Settings, *arguments: str) -> str:
    environment = wiring.tool_environment(settings)
    program = shutil.which("condor_submit", path=environment["PATH"])
    if program is None:
        raise UserError("There is no condor_submit on PATH. Install HTCondor, or use `glideroute pool up`.")
    try:
        done = subprocess.run(
            [program, *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise TemporaryError(
            f"condor_submit gave no answer within {DEADLINE_S} s; the schedd may be frozen. Whether the jobs are in "
            "the queue is not known: look with condor_q before you submit again."
        ) from None
    if done.returncode:
        raise UserError(f"condor_submit refuses it:\n{(done.stderr or done.stdout).strip()}")
    if warnings := done.stderr.strip():
        click.echo(warnings, err=True)
    return done.stdout


def _name(file: Path) -> str:
    stem = re.sub(r"[^A-Za-z0-9._-]", "-", file.stem)[:40].lstrip("._-")
    return names.name(stem or "job")
