"""`inos peers`: whom a node talks to, whether it can be reached, which addresses it knows, whom it refuses."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from inos.cli.common.output import DEFAULT_RPC, JsonOption, RpcOption, call_rpc, fail, print_json
from inos.cli.common.remote import DataDirOption, TokenFileOption, find_remote

app = typer.Typer(no_args_is_help=True)

REACHABILITY = {
    "unknown": "unknown yet",
    "public": "yes, others have dialled this node",
    "private": "no: peers asked to dial back could not",
}


@app.command("status")
def status(rpc: RpcOption = DEFAULT_RPC, json_: JsonOption = False) -> None:
    """Reachability, links by kind, and how many addresses are known."""
    found = call_rpc(rpc, "net_status")
    if json_:
        print_json(found)
        return
    links = found["connections"]
    found_links = f"{links.get('outbound', 0)} of {found['max_outbound']} in {found['outbound_groups']} groups"
    print(f"reachable    {REACHABILITY[found['reachability']]}")
    print(f"seen at      {found['observed_host'] or '-'}, port {found['listen_port']}")
    print(f"announced    {found['announced'] or '-'}")
    print(f"outbound     {found_links}{'' if found['discovery'] else ' (discovery is off)'}")
    print(f"inbound      {links.get('inbound', 0)} of {found['max_inbound']}")
    print(f"named        {links.get('static', 0)}")
    print(f"brief        {links.get('short', 0) + links.get('feeler', 0)}")
    relay = found["block_relay"]
    print(f"new blocks   {relay['blocks']} came compact, {relay['full_blocks']} whole, {relay['duplicates']} twice")
    print(f"addresses    {found['known_tried']} reached, {found['known_new']} heard of")


@app.command("list")
def list_peers(rpc: RpcOption = DEFAULT_RPC, json_: JsonOption = False) -> None:
    """The peers connected now."""
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


@app.command("addresses")
def addresses(
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="Most addresses shown.")] = 50,
    token_file: TokenFileOption = None,
    data_dir: DataDirOption = None,
    rpc: RpcOption = DEFAULT_RPC,
    json_: JsonOption = False,
) -> None:
    """The address book, those seen last first. Needs the node's token."""
    found = find_remote(rpc, token_file, data_dir).call("net_addresses", {"limit": limit})
    if json_:
        print_json(found)
        return
    _print_rows(
        ("id", "host", "port", "group", "state"),
        [(one["id"][:16], one["host"], str(one["port"]), one["group"], _describe(one)) for one in found["addresses"]],
    )
    print(f"{len(found['addresses'])} of {found['count']} addresses")


@app.command("bans")
def bans(
    token_file: TokenFileOption = None,
    data_dir: DataDirOption = None,
    rpc: RpcOption = DEFAULT_RPC,
    json_: JsonOption = False,
) -> None:
    """Nodes and network groups that are refused, and until when. Needs the node's token."""
    found = find_remote(rpc, token_file, data_dir).call("net_bans")
    if json_:
        print_json(found)
        return
    rows = [(ban["kind"], ban["subject"], _format_time(ban["until_ms"]), ban["reason"]) for ban in found["bans"]]
    _print_rows(("kind", "who", "until (UTC)", "reason"), rows)


@app.command("unban")
def unban(
    subject: Annotated[
        str, typer.Argument(metavar="ID|GROUP|all", help="A node's id or its first 8 digits, 20.1.0.0/16, or all.")
    ],
    token_file: TokenFileOption = None,
    data_dir: DataDirOption = None,
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
    print(f"lifted {found['lifted']}")


def _format_time(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _describe(one: dict[str, Any]) -> str:
    if one["is_connected"]:
        return "connected"
    if one["is_tried"]:
        return "reached"
    return f"failed attempts: {one['failed_attempts']}" if one["failed_attempts"] else "not tried"


def _print_rows(names: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    widths = [max(len(row[i]) for row in (names, *rows)) for i in range(len(names))]
    for row in (names, *rows):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
