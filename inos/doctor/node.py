"""The node, where one runs: its own checks, its peers, whether it can be reached."""

from collections.abc import Callable
from typing import Any

from inos.doctor.machine import Finding, Verdict

Call = Callable[[str], Any]
"""A JSON-RPC method without parameters."""


def check_node(call: Call) -> list[Finding]:
    """What the node says of itself."""
    version, health = call("node_version"), call("node_health")
    state = f"inos {version['version']} on {version['network']}, {health['sync']['summary']}"
    found = [Finding("node", Verdict.OK, state)]
    for check in health["checks"]:
        verdict = Verdict.OK if check["ok"] else Verdict.FAIL
        found.append(Finding(f"node {check['name']}", verdict, check["detail"], check.get("hint", "")))
    return [*found, _check_reach(call("net_status"))]


def _check_reach(status: dict[str, Any]) -> Finding:
    """Whether others can dial it."""
    if status["reachability"] == "public":
        place = status["announced"] or status["observed_host"]
        return Finding("node reach", Verdict.OK, f"others can reach it{f' at {place}' if place else ''}")
    hint = "listen on --p2p-host 0.0.0.0, let the port through the firewall, or say where with --announce"
    return Finding("node reach", Verdict.NOTE, f"{status['reachability']}: nobody has dialled it from outside", hint)
