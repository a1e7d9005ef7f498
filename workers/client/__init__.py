"""The worker's side: connects to a node, gets work, multiplies it in a thread, and reports.

Pipeline: `client` (connects again and again) -> `link` (messages of one connection) -> `operands` (fetched or mapped)
-> `multiplier` (a kernel's thread) -> `report` (shares and rows to messages).
"""

from inos.workers.client.client import Worker, WorkerOptions

__all__ = ["Worker", "WorkerOptions"]
