"""`inos snapshot`: a copy of a node's data, taken while the node runs or after it was stopped."""

import time
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from inos.cli.common.options import DEFAULT_DATA_DIR, DataDirOption, DirNetworkOption, JsonOption
from inos.cli.common.output import CommandError, fail, print_json, print_text
from inos.cli.common.progress import Progress, make_progress
from inos.cli.common.remote import Remote, read_token
from inos.cli.common.stopped_node import choose_network, find_data_dir, open_stopped

POLL_S: Final = 0.2


def command(
    target: Annotated[Path, typer.Argument(metavar="FOLDER", help="The folder of the copy; it must not exist yet.")],
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    network: DirNetworkOption = None,
    matrices: Annotated[bool, typer.Option(help="Copy the matrices too.")] = True,
    check: Annotated[bool, typer.Option(help="Read the copy from end to end and check that it fits together.")] = True,
    json_: JsonOption = False,
) -> None:
    """Copy a node's chain, state and matrices, whether it runs or not; another node can be started on the copy.

    The copy shows one moment, appears under its name once it is complete, and is checked. It holds no keys: a voter's
    key in two places signs votes that contradict each other, and loses its bond.
    """
    from inos.node.network_name import keep_network
    from inos.node.process import read_ready_file

    source, copy = find_data_dir(data_dir), target.expanduser().absolute()
    network = choose_network(source, network)
    _check_network(source, network)
    running = read_ready_file(source)
    on_progress = make_progress("copied", "bytes", is_quiet=json_)
    if running is not None and running.is_running():
        made = _ask_node(Remote(running.rpc, read_token(None, source)), copy, matrices, on_progress)
    else:
        made = _copy_stopped(source, network, copy, matrices, on_progress)
    keep_network(copy, network)
    height = _check_copy(copy, network, make_progress("checked", "blocks", is_quiet=json_)) if check else None
    if json_:
        print_json({"path": str(copy), "bytes": made["bytes"], "matrices": made["matrices"], "height": height})
        return
    checked = "not checked" if height is None else f"checked up to height {height}"
    print_text(f"{copy}: {made['bytes'] / 2**20:,.1f} MiB, {made['matrices']} matrices, {checked}")
    print_text(f"start a node on it with: inos node --data-dir {copy}")


def _check_network(source: Path, network: str) -> None:
    from inos.chain.opening import MOVE_ON, is_of_protocol_1
    from inos.genesis import load_network

    try:
        stored = (source / "genesis").read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return  # opening the data directory says what is wrong
    if stored != load_network(network).genesis_id.hex():
        if is_of_protocol_1(source / "ledger"):
            fail("old-protocol", f"{source} holds a chain of protocol 1, this program follows 2", MOVE_ON)
        hint = "give the --network the node was started with"
        fail("other-genesis", f"{source} holds the chain of genesis {stored}, which is not {network}'s", hint)


def _ask_node(node: Remote, copy: Path, has_matrices: bool, on_progress: Progress) -> dict[str, Any]:
    if copy.exists():  # the node checks this as well
        fail("target-exists", f"{copy} exists already", "give a folder that does not exist yet")
    status: dict[str, Any] = node.call("node_snapshot", {"path": str(copy), "matrices": has_matrices})
    while status["state"] == "running":
        if status["step_total_bytes"]:
            on_progress(status["step"], status["step_bytes"], status["step_total_bytes"])
        time.sleep(POLL_S)
        status = node.call("node_snapshotStatus")
    if status["path"] != str(copy) or status["state"] != "done":
        error = status["error"] or {"code": "snapshot-lost", "message": "the node has no such copy", "hint": ""}
        raise CommandError(error["code"], error["message"], hint=error["hint"])
    return status


def _copy_stopped(source: Path, network: str, copy: Path, has_matrices: bool, on_progress: Progress) -> dict[str, Any]:
    from inos.node.copying import copy_node

    with open_stopped(source, network) as node:
        made = copy_node(
            node.ledger.view, node.store, node.network.genesis_id, copy, on_progress, has_matrices=has_matrices
        )
    return {"bytes": made.bytes, "matrices": made.matrices}


def _check_copy(copy: Path, network: str, on_progress: Progress) -> int:
    from inos.chain.checking import check_database

    with open_stopped(copy, network) as node:
        return int(check_database(node.ledger, on_progress).height)
