"""Evolution on the market: islands of genomes, whose every generation anybody can compute again.

Pipeline: a `Run` (program, first genome, perhaps a function) -> a generation by a `Runner`, here or by a miner -> a
`Record` in the folder and the mesh -> other islands cite it -> `replay` says of each record whether it is right, false,
or cannot be checked yet.

The package adds no rule to the chain and holds no key: a generation on the market is an ordinary task.
docs/evolution.md says what that proves and what it does not.
"""

from inos.evolve.eggroll import Settings
from inos.evolve.errors import InvalidRecord, InvalidRun, Missing, Unchecked
from inos.evolve.evolving import evolve
from inos.evolve.island import FolderPending, Island, create_island
from inos.evolve.records import Record, Run, Trial
from inos.evolve.replay import Replayer, Verdict, read_lineage
from inos.evolve.runners import LocalRunner, MarketRunner

__all__ = [
    "FolderPending",
    "InvalidRecord",
    "InvalidRun",
    "Island",
    "LocalRunner",
    "MarketRunner",
    "Missing",
    "Record",
    "Replayer",
    "Run",
    "Settings",
    "Trial",
    "Unchecked",
    "Verdict",
    "create_island",
    "evolve",
    "read_lineage",
]
