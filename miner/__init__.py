"""Mining: earns blocks and rewards by multiplying matrices, paid ones first.

It chooses open jobs, fetches their operands, claims them, multiplies them slice by slice under
the current template's anchor (so every slice draws lottery tickets), and submits the product.
Where no job is to be had it multiplies a filler product and counts those tickets apart.

It never touches the network or the database: the node hands it a `NodePort`.

Pipeline: policy (which job) -> jobs (fetch, claim, submit, watch) -> product (rows still to do)
-> engine (a slice in a thread) -> lottery (tickets to blocks) -> figures (what it came to).
"""

from inos.miner.miner import Miner
from inos.miner.ports import NodePort
from inos.miner.settings import MinerSettings, Purpose
from inos.miner.stats import MinerState, MinerStatus

__all__ = ["Miner", "MinerSettings", "MinerState", "MinerStatus", "NodePort", "Purpose"]
