"""`inos snapshot`: a copy of a node's data, taken while it runs or when it is stopped."""

import time
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from inos.cli.common.output import DEFAULT_NETWORK, CommandError, JsonOption, NetworkOption, call_rpc, fail, print_json
from inos.cli.common.progress import Progress, make_progress
from inos.cli.common.remote import read_node_file, read_token
from inos.cli.common.stopped_node import DEFAULT_DATA_DIR, DataDirOption, find_data_dir, open_stopped

POLL_S: Final = 0.2


def command(
    target: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where to put it; it must not exist yet.")],
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    network: NetworkOption = DEFAULT_NETWORK,
    matrices: Annotated[bool, typer.Option(help="Copy the matrices too.")] = True,
    check: Annotated[bool, typer.Option(help="Read the copy from end to end and see that it fits together.")] = True,
    json_: JsonOption = False,
) -> None:
    """Copy a node's chain, state and matrices, whether it runs or not; another node can be started on the copy.

    The copy is of one moment, appears under its name when it is whole, and is checked. It holds no keys: a voter's key
    in two places signs against itself and loses its bond.
    """
    source, place = find_data_dir(data_dir), target.expanduser().absolute()
    _check_network(source, network)
    running = read_node_file(source)
    tell = make_progress("copied", "bytes", is_quiet=json_)
    if running is not None and running.is_running():
        token = read_token(None, source)
        made = _ask_node(running.rpc, token, place, matrices, tell)
    else:
        made = _copy_stopped(source, network, place, matrices, tell)
    height = _check_copy(place, network, make_progress("checked", "blocks", is_quiet=json_)) if check else None
    answer = {"path": str(place), "bytes": made["bytes"], "matrices": made["matrices"], "height": height}
    if json_:
        print_json(answer)
        return
    checked = "not checked" if height is None else f"checked up to height {height}"
    print(f"{place}: {made['bytes'] / 2**20:,.1f} MiB, {made['matrices']} matrices, {checked}")
    print(f"start a node on it with: inos node --network {network} --data-dir {place}")


def _check_network(source: Path, network: str) -> None:
    from inos.genesis import load_network

    try:
        stored = (source / "genesis").read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return  # found out when it is opened
    if stored != load_network(network).genesis_id.hex():
        hint = "give the --network the node was started with"
        fail("other-genesis", f"{source} holds the chain of genesis {stored}, which is not {network}'s", hint)


def _ask_node(rpc: str, token: str | None, place: Path, has_matrices: bool, tell: Progress) -> dict[str, Any]:
    if place.exists():  # said here at once, and by the node in any case
        fail("target-exists", f"{place} is there already", "give a folder that does not exist yet")
    status = call_rpc(rpc, "node_snapshot", {"path": str(place), "matrices": has_matrices}, token=token)
    while status["state"] == "running":
        if status["step_total_bytes"]:
            tell(status["step"], status["step_bytes"], status["step_total_bytes"])
        time.sleep(POLL_S)
        status = call_rpc(rpc, "node_snapshotStatus", token=token)
    if status["path"] != str(place) or status["state"] != "done":
        error = status["error"] or {"code": "snapshot-lost", "message": "the node knows of no such copy", "hint": ""}
        raise CommandError(error["code"], error["message"], hint=error["hint"])
    found: dict[str, Any] = status
    return found


def _copy_stopped(source: Path, network: str, place: Path, has_matrices: bool, tell: Progress) -> dict[str, Any]:
    from inos.node.copying import copy_node

    with open_stopped(source, network) as node:
        made = copy_node(node.ledger, node.store, node.network.genesis_id, place, tell, has_matrices=has_matrices)
    return {"bytes": made.bytes, "matrices": made.matrices}


def _check_copy(place: Path, network: str, tell: Progress) -> int:
    from inos.chain.checking import check_database

    with open_stopped(place, network) as node:
        return int(check_database(node.ledger, tell).height)
