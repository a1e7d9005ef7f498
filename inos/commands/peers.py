"""`inos peers`: whom a node talks to, whether it can be reached, which addresses it knows."""

from typing import Annotated, Any

import typer

from inos.commands._common import DEFAULT_RPC, JsonOption, RpcOption, call_rpc, print_json
from inos.commands.rpc import DataDirOption, TokenFileOption, read_token

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
    links = found["links"]
    found_links = f"{links.get('outbound', 0)} of {found['max_outbound']} in {found['outbound_groups']} groups"
    print(f"reachable    {REACHABILITY[found['reachability']]}")
    print(f"seen at      {found['observed_host'] or '-'}, port {found['listen_port']}")
    print(f"announced    {found['announced'] or '-'}")
    print(f"outbound     {found_links}{'' if found['discovery'] else ' (discovery is off)'}")
    print(f"inbound      {links.get('inbound', 0)} of {found['max_inbound']}")
    print(f"named        {links.get('static', 0)}")
    print(f"brief        {links.get('short', 0) + links.get('feeler', 0)}")
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
    found = call_rpc(rpc, "net_addresses", {"limit": limit}, token=read_token(token_file, data_dir))
    if json_:
        print_json(found)
        return
    _print_rows(
        ("id", "host", "port", "group", "state"),
        [(one["id"][:16], one["host"], str(one["port"]), one["group"], _describe(one)) for one in found["addresses"]],
    )
    print(f"{len(found['addresses'])} of {found['count']} addresses")


def _describe(one: dict[str, Any]) -> str:
    if one["is_connected"]:
        return "connected"
    if one["is_tried"]:
        return "reached"
    return f"{one['attempts']} attempts in vain" if one["attempts"] else "heard of"


def _print_rows(names: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    widths = [max(len(row[i]) for row in (names, *rows)) for i in range(len(names))]
    for row in (names, *rows):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
