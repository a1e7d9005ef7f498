"""Checks of a running node: its own checks of itself, and whether others can reach it."""

from collections.abc import Callable
from typing import Any

from inos.doctor.machine import Finding, Verdict

Call = Callable[[str], Any]
"""Calls a JSON-RPC method without parameters."""


def check_node(call: Call) -> list[Finding]:
    """Return the node's version and sync, its own checks, and its reachability."""
    version, health = call("node_version"), call("node_health")
    state = f"inos {version['version']} on {version['network']}, {health['sync']['summary']}"
    found = [Finding("node", Verdict.OK, state)]
    for check in health["checks"]:
        verdict = Verdict.OK if check["ok"] else Verdict.FAIL
        found.append(Finding(f"node {check['name']}", verdict, check["detail"], check.get("hint", "")))
    return [*found, _check_reach(call("net_status"))]


def _check_reach(status: dict[str, Any]) -> Finding:
    """Check that other nodes can connect to this one."""
    if status["reachability"] == "public":
        endpoint = status["announced"] or status["observed_host"]
        return Finding("node reach", Verdict.OK, f"others can reach it{f' at {endpoint}' if endpoint else ''}")
    hint = "start it with --p2p-host 0.0.0.0, open the port in the firewall, or give its address with --announce"
    return Finding("node reach", Verdict.NOTE, f"{status['reachability']}: no other node has connected to it", hint)
