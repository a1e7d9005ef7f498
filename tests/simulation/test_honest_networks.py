"""Networks without attackers. `make simulate` runs the same at full size."""

import pytest

from simulation.calm import run_calm, run_churn
from simulation.partitions import run_partition

pytestmark = pytest.mark.long


def test_blocks_are_everywhere_soon() -> None:
    print(run_calm(1, 60, 4))


def test_nodes_come_and_go() -> None:
    print(run_churn(1, 30, 2.0))


def test_two_partitions_heal() -> None:
    print(run_partition(1, 10, 200))
