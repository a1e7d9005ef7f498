"""The node's side: sessions of workers, templates and fillers for them, pieces of products, and the checks of what they
return.

Pipeline: `socket` (WebSocket to bytes) -> `session` (one worker's state, limits) -> `shares` and `pieces` (checks) ->
`templates` (a win becomes a block) and the product that the miner offered.
"""

from inos.workers.server.service import WorkerService, WorkerSettings
from inos.workers.server.status import WorkersStatus, WorkerStatus

__all__ = ["WorkerService", "WorkerSettings", "WorkerStatus", "WorkersStatus"]
