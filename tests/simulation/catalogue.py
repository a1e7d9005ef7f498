"""Every scenario with the size `make simulate` runs it at."""

from collections.abc import Callable
from typing import Final

from simulation.calm import run_calm, run_churn
from simulation.partitions import run_partition
from simulation.report import Report

FULL: Final[dict[str, Callable[[int], Report]]] = {
    "calm-100": lambda seed: run_calm(seed, 100),
    "calm-1000": lambda seed: run_calm(seed, 1000, 6),
    "churn": lambda seed: run_churn(seed, 100),
    "partition": lambda seed: run_partition(seed, 30),
}
