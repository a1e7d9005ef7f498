"""The figures of `inos bench cluster`, and how memory is counted; functional/test_ray_cluster.py has a cluster."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from inos.bench.cluster import ClusterStats, describe_cluster, read_pss_mb
from inos.bench.local_ray import LocalRay, find_free_port


def test_the_figures_as_text() -> None:
    stats = ClusterStats(1000, 2, 5, 0.01, 0.04, 0.0125, operand_mb=1074, workers_pss_mb=1170, processes=4)
    lines = describe_cluster(stats)
    assert lines[1:4] == [
        "  own engine         200 Gop/s  1.00 of the own engine",
        "  ray://HEAD:PORT     50 Gop/s  0.25 of the own engine",
        "  ray://auto         160 Gop/s  0.80 of the own engine",
    ]
    assert lines[4] == "  memory of 4 workers with an operand of 1074 MB: 1170 MB in all (PSS)"


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="only Linux says what is shared")
def test_memory_that_is_shared_counts_once() -> None:
    assert read_pss_mb(os.getpid()) > 5
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    assert read_pss_mb(done.pid) == 0


def test_a_cluster_that_never_started_has_no_workers() -> None:
    cluster = LocalRay()
    assert cluster.find_workers() == []
    assert cluster.address.startswith("ray://127.0.0.1:")
    assert LocalRay(token="given").variables["RAY_AUTH_TOKEN"] == "given"
    assert find_free_port() > 0
    cluster.close()
