"""The figures of `inos bench cluster`, and how memory is counted; functional/test_ray_cluster.py has a cluster."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from inos.bench.cluster import ClusterStats, Timing, describe_cluster, read_pss_mb
from inos.bench.local_ray import LocalRay, find_free_port


def test_the_figures_as_text() -> None:
    timings = (
        Timing("ray://HEAD:PORT", 0.0125, 0.01, 0.81, 0.025, 0.02, 0.79),
        Timing("... not mapped", 0.04, 0.01, 0.24, 0.08, 0.02, 0.25),
    )
    stats = ClusterStats(1000, 2, timings, operand_mb=1074, workers_pss_mb=1170, processes=4)
    assert describe_cluster(stats) == [
        "1000 x 1000 x 1000, 2 processors",
        "  ray://HEAD:PORT    160 Gop/s, own engine   200 Gop/s, ratio 0.81; by processor time 25 and 20 ms, 0.79",
        "  ... not mapped      50 Gop/s, own engine   200 Gop/s, ratio 0.24; by processor time 80 and 20 ms, 0.25",
        "  memory of 4 workers with an operand of 1074 MB: 1170 MB in all (PSS)",
    ]


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
