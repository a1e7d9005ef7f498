"""Run `inos bench net` with few nodes and little time, and check that every figure is present and plausible."""

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.long


@pytest.mark.timeout(900)
def test_every_figure_is_there() -> None:
    command = [sys.executable, "-P", "-m", "inos", "bench", "net", "--nodes", "3", "--seconds", "6", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=800, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)["measured"]
    links, relay, failures, floods = (found[name] for name in ("links", "relay", "failures", "floods"))
    assert links["small_per_s"] > 200
    assert 0 < links["calm_cpu"] < 1
    assert min(links["mb_per_s"], links["mb_per_s_four"]) > 1
    assert relay["nodes"] == 3
    assert relay["blocks"] >= 1
    assert 0 < relay["p50_s"] <= relay["p95_s"] < 30
    assert relay["compact_bytes"] > 32_768
    assert 5 < failures["silent_noticed_s"] < 60
    assert 0 < failures["restarted_s"] < 60
    assert min(floods["quiet_s"], floods["one_s"], floods["fifty_s"]) > 0
    assert 0 <= floods["memory_per_peer_mb"] < 5
