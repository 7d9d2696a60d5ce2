"""What the loops and the user's interface need of the outside world: the seams of the system."""

from router.ports.catalogue import UserCatalogue
from router.ports.fetches import FailedFetches, FetchMemory, FetchSource
from router.ports.memory import Leases, Memory
from router.ports.pool import Asked, Clock, Edit, EventSource, JobLine, JobQueue, PilotBackend, Pool, Run, Sight
from router.ports.runs import RunMemory
from router.ports.splitting import TaskAdditions, TaskMemory
from router.ports.tasks import Reports, TaskFiles, UserMemory
from router.ports.transfers import (
    Carrier,
    Mover,
    PartMemory,
    PartStorage,
    PurgeMemory,
    SentTransfers,
    Transfers,
    TransferStates,
    WriteTester,
    WriteTestMemory,
)
from router.ports.views import View

__all__ = [
    "Asked",
    "Carrier",
    "Clock",
    "Edit",
    "EventSource",
    "FailedFetches",
    "FetchMemory",
    "FetchSource",
    "JobLine",
    "JobQueue",
    "Leases",
    "Memory",
    "Mover",
    "PartMemory",
    "PartStorage",
    "PilotBackend",
    "Pool",
    "PurgeMemory",
    "Reports",
    "Run",
    "RunMemory",
    "SentTransfers",
    "Sight",
    "TaskAdditions",
    "TaskFiles",
    "TaskMemory",
    "TransferStates",
    "Transfers",
    "UserCatalogue",
    "UserMemory",
    "View",
    "WriteTestMemory",
    "WriteTester",
]
