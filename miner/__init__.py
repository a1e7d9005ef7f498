"""Mining earns blocks and rewards by multiplying matrices, paid ones first.

The miner chooses open jobs, fetches their operands, claims them, multiplies them slice by slice under the anchor of the
current template (so every slice draws lottery tickets), and submits the product. While there is no job, it multiplies a
filler product and counts those tickets apart.

It never touches the network or the database: the node gives it a `NodePort`.

Programs are jobs whose products are mined like others; functions run beside the mining, before they are claimed.

Pipeline: policy (which job) -> jobs (fetch, claim, submit, watch) -> product (which rows are left) -> engine (a slice
in a thread) -> lottery (tickets to blocks) -> stats (counts).
"""

from inos.miner.miner import Miner
from inos.miner.ports import NodePort
from inos.miner.settings import JobKind, MinerSettings, Purpose
from inos.miner.stats import MinerState, MinerStatus

__all__ = ["JobKind", "Miner", "MinerSettings", "MinerState", "MinerStatus", "NodePort", "Purpose"]
