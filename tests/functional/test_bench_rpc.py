"""Run `inos bench rpc` with few transfers, and check that every figure is present and plausible."""

import json
import subprocess
import sys

import pytest


@pytest.mark.long
@pytest.mark.timeout(400)
def test_every_figure_is_there() -> None:
    command = [sys.executable, "-P", "-m", "inos", "bench", "rpc", "--transfers", "128", "--synced", "30", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=380, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    answer = json.loads(done.stdout)
    found = answer["rpc"]
    assert answer["load"]["load_before"] >= 0
    assert 0 < found["syncing_p50_ms"] <= found["syncing_p99_ms"]
    assert (found["synced_blocks"], found["idle_cpu_us"] > 0, found["single_cpu_us"] > 0) == (30, True, True)
    assert 0 < found["head_p50_ms"] <= found["head_p99_ms"]
    assert 0 < found["empty_p50_ms"] <= found["empty_p99_ms"]
    assert 0 < found["mining_included_per_s"] <= found["mining_taken_per_s"]
    assert found["block_bound_per_s"] > 100
    assert min(found["idle_taken_per_s"], found["single_per_s"], found["empty_per_s"]) > 10
