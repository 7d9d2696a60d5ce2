"""Jobs that really leave files, on the fake pool: what an analysis in Python is tried on."""

import zlib
from pathlib import Path

from fake_organisation import Organisation

from router.model.files import File, Located, Replica
from router.model.job import EndedJob
from router.model.task import MERGE_BATCH
from router.testing.build import a_report

HEADER = "channel,events\n"


class World:
    """The organisation, and a folder in which its storage lies."""

    def __init__(self, organisation: Organisation, folder: Path) -> None:
        self.organisation, self.folder = organisation, folder
        self.headers: dict[str, str] = {}
        """Of jobs that begin their files otherwise."""
        organisation.glidein("SITE_A")
        organisation.glidein("SITE_B")

    def run(self, count: int | None = None) -> None:
        """Let jobs run and end, `count` of them at each site, and the router see what they left."""
        self.organisation.step()
        self.organisation.pool.negotiate()
        for site in ("SITE_A", "SITE_B"):
            for job in self.organisation.pool.finish(site, count):
                self._leaves(job)
        self.organisation.step()

    def _leaves(self, job: EndedJob) -> None:
        task = self.organisation.store.task(job.task)
        outputs = []
        for output in task.payload.outputs:
            name = "merged" if job.batch == MERGE_BATCH else job.job
            outputs.append(self.a_file(task.output(output.name, name), f"{self.headers.get(name, HEADER)}{name},1\n"))
        report = a_report(job.job, task=task.id, batch=job.batch, outputs=outputs)
        self.organisation.reports.add(task.id, job.job, report)

    def a_file(self, lfn: str, content: str) -> Located:
        """A file with this content at SITE_A."""
        path = self.folder / lfn.strip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        known = File(lfn, len(content), f"{zlib.adler32(content.encode()):08x}", 0)
        return Located(known, (Replica("SITE_A_DISK", "SITE_A", f"file://{path}"),))
