"""`inos peers`: a node's peers, its reachability, the addresses it knows, and its bans."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import typer

from inos.cli.common.options import DEFAULT_RPC, JsonOption, NodeDirOption, RpcOption, TokenFileOption
from inos.cli.common.output import fail, print_json, print_text
from inos.cli.common.remote import call_rpc, find_remote

app = typer.Typer(no_args_is_help=True, add_completion=False)

REACHABILITY: Final = {
    "unknown": "not known yet",
    "public": "yes, others have dialled this node",
    "private": "no, peers that were asked to dial back could not",
}


@app.callback()
def _peers() -> None:
    """Show a node's peers, reachability, known addresses and bans; lift bans."""


@app.command()
def status(rpc: RpcOption = DEFAULT_RPC, json_: JsonOption = False) -> None:
    """Show whether the node can be reached, its connections by kind, and how many addresses it knows."""
    found = call_rpc(rpc, "net_status")
    if json_:
        print_json(found)
        return
    kinds = found["connections"]
    outbound = f"{kinds.get('outbound', 0)} of {found['max_outbound']} in {found['outbound_groups']} groups"
    print_text(f"reachable    {REACHABILITY[found['reachability']]}")
    print_text(f"seen at      {found['observed_host'] or '-'}, port {found['listen_port']}")
    print_text(f"announced    {found['announced'] or '-'}")
    print_text(f"outbound     {outbound}{'' if found['discovery'] else ' (discovery is off)'}")
    print_text(f"inbound      {kinds.get('inbound', 0)} of {found['max_inbound']}")
    print_text(f"static       {kinds.get('static', 0)}")
    print_text(f"short        {kinds.get('short', 0) + kinds.get('feeler', 0)}")
    relay = found["block_relay"]
    print_text(
        f"new blocks   {relay['blocks']} came compact, {relay['full_blocks']} in full, {relay['duplicates']} twice"
    )
    print_text(f"addresses    {found['known_tried']} reached before, {found['known_new']} not tried yet")


@app.command("list")
def list_peers(rpc: RpcOption = DEFAULT_RPC, json_: JsonOption = False) -> None:
    """List the peers that are connected now."""
    found = call_rpc(rpc, "net_peers")
    if json_:
        print_json(found)
        return
    _print_rows(
        ("id", "kind", "address", "group", "height", "ms", "score"),
        [
            (
                peer["id"][:16],
                peer["kind"],
                peer["address"],
                peer["group"],
                str(peer["height"]),
                "-" if peer["latency_ms"] is None else str(peer["latency_ms"]),
                str(peer["score"]),
            )
            for peer in found["peers"]
        ],
    )


@app.command()
def addresses(
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=1000, metavar="N", help="List at most this many addresses.")
    ] = 50,
    token_file: TokenFileOption = None,
    data_dir: NodeDirOption = None,
    rpc: RpcOption = DEFAULT_RPC,
    json_: JsonOption = False,
) -> None:
    """List the address book; addresses seen last come first. Needs the node's token."""
    found = find_remote(rpc, token_file, data_dir).call("net_addresses", {"limit": limit})
    if json_:
        print_json(found)
        return
    _print_rows(
        ("id", "host", "port", "group", "state"),
        [(one["id"][:16], one["host"], str(one["port"]), one["group"], _describe(one)) for one in found["addresses"]],
    )
    print_text(f"{len(found['addresses'])} of {found['count']} addresses")


@app.command()
def bans(
    token_file: TokenFileOption = None,
    data_dir: NodeDirOption = None,
    rpc: RpcOption = DEFAULT_RPC,
    json_: JsonOption = False,
) -> None:
    """List the nodes and network groups that are banned, and until when. Needs the node's token."""
    found = find_remote(rpc, token_file, data_dir).call("net_bans")
    if json_:
        print_json(found)
        return
    rows = [(ban["kind"], ban["subject"], _format_time(ban["until_ms"]), ban["reason"]) for ban in found["bans"]]
    _print_rows(("kind", "subject", "until (UTC)", "reason"), rows)


@app.command()
def unban(
    subject: Annotated[
        str, typer.Argument(metavar="ID|GROUP|all", help="A node's id or its first 8 digits, 20.1.0.0/16, or all.")
    ],
    token_file: TokenFileOption = None,
    data_dir: NodeDirOption = None,
    rpc: RpcOption = DEFAULT_RPC,
    json_: JsonOption = False,
) -> None:
    """Lift bans. Needs the node's token."""
    found = find_remote(rpc, token_file, data_dir).call("net_unban", {"subject": subject})
    if json_:
        print_json(found)
        return
    if not found["lifted"]:
        fail("not-banned", f"no ban fits {subject!r}", "inos peers bans lists them")
    print_text(f"lifted {found['lifted']}")


def _format_time(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _describe(one: dict[str, Any]) -> str:
    if one["is_connected"]:
        return "connected"
    if one["is_tried"]:
        return "reached before"
    return f"failed attempts: {one['failed_attempts']}" if one["failed_attempts"] else "not tried"


def _print_rows(names: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    widths = [max(len(row[i]) for row in (names, *rows)) for i in range(len(names))]
    for row in (names, *rows):
        print_text("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
