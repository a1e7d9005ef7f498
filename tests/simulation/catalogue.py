"""Every scenario with the size at which `make simulate` runs it."""

from collections.abc import Callable
from typing import Final

from simulation.calm import run_calm, run_churn
from simulation.eclipse import run_eclipse, run_poisoning
from simulation.faults import run_single_faults
from simulation.floods import run_header_flood, run_slow_readers
from simulation.heavy import run_forgers
from simulation.lies import run_liars
from simulation.lowwork import run_low_work
from simulation.partitions import run_partition
from simulation.promises import run_promises
from simulation.report import Report
from simulation.selfish import run_selfish
from simulation.skew import run_skew, run_steps
from simulation.spam import run_spam
from simulation.withheld import run_withheld_blocks, run_withheld_matrices

FULL: Final[dict[str, Callable[[int], Report]]] = {
    "calm-100": lambda seed: run_calm(seed, 100),
    "calm-1000": lambda seed: run_calm(seed, 1000, 6),
    "churn": lambda seed: run_churn(seed, 100),
    "partition": lambda seed: run_partition(seed, 30),
    "liars": lambda seed: run_liars(seed, 36),
    "forgers": lambda seed: run_forgers(seed, 40),
    "single-faults": lambda seed: run_single_faults(seed, 12),
    "header-flood": lambda seed: run_header_flood(seed, 16),
    "low-work": lambda seed: run_low_work(seed, 12, 120),
    "slow-readers": lambda seed: run_slow_readers(seed, 30),
    "withheld-blocks": lambda seed: run_withheld_blocks(seed, 40, 180),
    "withheld-matrices": lambda seed: run_withheld_matrices(seed, 24),
    "spam": lambda seed: run_spam(seed, 20),
    "promises": lambda seed: run_promises(seed, 8, 30),
    "skew": lambda seed: run_skew(seed, 30),
    "clock-steps": lambda seed: run_steps(seed, 20),
    "selfish": lambda seed: run_selfish(seed, 16, 1000),
    "eclipse": lambda seed: run_eclipse(seed, 40),
    "poisoning": lambda seed: run_poisoning(seed, 40),
}
