"""`inos status`: the state of one node, once or every second."""

import sys
import time
from typing import Annotated, Any, Final

import typer

from inos.cli.common.options import DEFAULT_RPC, JsonOption, RpcOption
from inos.cli.common.output import print_json, print_text
from inos.cli.common.remote import call_rpc
from inos.client.errors import RemoteError

WATCH_S: Final = 1.0


def command(
    rpc: RpcOption = DEFAULT_RPC,
    watch: Annotated[
        bool, typer.Option("--watch", help="Print a line about the sync every second, until Ctrl-C.")
    ] = False,
    json_: JsonOption = False,
) -> None:
    """Show a node's network, peers, tip, sync and health.

    The sync is in one of these phases: finding_peers, headers, state, blocks, following, stalled (with the reason).
    """
    if watch:
        _watch(rpc)
    try:
        status = get_status(rpc)
        lines = describe(status)
    except RemoteError as error:
        if error.code != "method-not-found":
            raise
        status = call_rpc(rpc, "light_status")
        lines = describe_light(status)
    if json_:
        print_json(status)
    else:
        print_text("\n".join(lines))


def get_status(rpc: str) -> dict[str, Any]:
    """Return what the node says of itself, as one object."""
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
    """Return the status as lines of text."""
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
    lines.append(f"health   {status['status']}")
    for check in status["checks"]:
        if not check["ok"]:
            lines.append(f"         {check['name']}: {check['detail']}")
            if check.get("hint"):
                lines.append(f"           {check['hint']}")
    return lines


def describe_light(status: dict[str, Any]) -> list[str]:
    """Return the status of a light client as lines of text."""
    lines = [
        f"network  {status['network']} (a light client)",
        f"tip      {status['height']}  {status['head']}",
        f"final    {status['final_height']}  {status['final_block']}",
        f"asks     {', '.join(status['sources']) or 'nobody: all its nodes were caught lying'}",
    ]
    lines += [f"trouble  {url}: {reason}" for url, reason in status["source_errors"].items()]
    lines += [f"lie      {lie['source']}: {lie['message']}" for lie in status["lies"]]
    return lines + ([f"conflict {status['conflict']}"] if status["conflict"] else [])


def _watch(rpc: str) -> None:
    """Print the sync again and again: over one line on a terminal, else on a line each."""
    end, width = ("", 110) if sys.stdout.isatty() else ("\n", 0)
    while True:
        text = call_rpc(rpc, "node_health")["sync"]["summary"]
        print_text(text.ljust(width), start="\r" if width else "", end=end, flush=True)
        time.sleep(WATCH_S)
