"""`inos status`: how one node fares, once or again and again."""

import sys
import time
from typing import Annotated, Any, Final

import typer

from inos.cli.common.output import DEFAULT_RPC, JsonOption, RpcOption, call_rpc, print_json

WATCH_S: Final = 1.0


def command(
    rpc: RpcOption = DEFAULT_RPC,
    watch: Annotated[bool, typer.Option("--watch", help="A line about the sync every second, until Ctrl-C.")] = False,
    json_: JsonOption = False,
) -> None:
    """Show a node's network, its peers, how far it has synced and what bounds it.

    Phases: finding_peers, headers, state, blocks, following, stalled (with the reason).
    """
    if watch:
        _watch(rpc)
    status = get_status(rpc)
    if json_:
        print_json(status)
    else:
        print("\n".join(describe(status)))


def get_status(rpc: str) -> dict[str, Any]:
    """What the node says of itself, as one object."""
    version, health, head = (call_rpc(rpc, method) for method in ("node_version", "node_health", "chain_head"))
    return {
        "network": version["network"],
        "node_id": version["node_id"],
        "version": version["version"],
        "peers": head["peers"],
        "tip": head["id"],
        **health,
    }


def describe(status: dict[str, Any]) -> list[str]:
    """Lines for a person."""
    sync = status["sync"]
    lines = [
        f"network  {status['network']}",
        f"node     {status['node_id']}",
        f"peers    {status['peers']}",
        f"tip      {sync['height']}  {status['tip']}",
        f"sync     {sync['summary']}",
    ]
    if sync["time_shares"]:
        shares = sorted(sync["time_shares"].items(), key=lambda item: -item[1])
        lines.append("time     " + ", ".join(f"{name} {part:.0%}" for name, part in shares if part >= 0.005))
    failing = [check for check in status["checks"] if not check["ok"]]
    lines.append(f"health   {status['status']}")
    for check in failing:
        lines.append(f"         {check['name']}: {check['detail']}")
        if check.get("hint"):
            lines.append(f"           {check['hint']}")
    return lines


def _watch(rpc: str) -> None:
    """On a terminal one line that is written anew, else a line each."""
    end, width = ("", 110) if sys.stdout.isatty() else ("\n", 0)
    while True:
        text = call_rpc(rpc, "node_health")["sync"]["summary"]
        print(("\r" if width else "") + text.ljust(width), end=end, flush=True)
        time.sleep(WATCH_S)
