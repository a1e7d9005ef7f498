"""`inos db`: a stopped node's database is checked, compacted, exported, imported or rechecked."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
import typer

from inos.cli.common.options import (
    DEFAULT_DATA_DIR,
    DataDirOption,
    DirNetworkOption,
    JsonOption,
)
from inos.cli.common.output import print_json, print_text
from inos.cli.common.progress import make_progress
from inos.cli.common.stopped_node import choose_network, find_data_dir, open_stopped, open_untouched

if TYPE_CHECKING:
    from inos.chain.recheck import Rechecked

app = typer.Typer(no_args_is_help=True, add_completion=False)

OUTCOMES: Final = {
    "connected": "valid: it is on the chain now",
    "stored": "no fault found: it is on a lighter chain, or waits for matrices",
    "header": "forgotten: its body was not kept, and is fetched from peers again",
    "unknown": "forgotten: its header is not stored any more",
}


@app.callback()
def _db() -> None:
    """Check, compact, export, import or recheck a stopped node's database."""


@app.command()
def check(
    data_dir: DataDirOption = DEFAULT_DATA_DIR, network: DirNetworkOption = None, json_: JsonOption = False
) -> None:
    """Read every block of the chain and every record of the state, and check that they fit together.

    The node must be stopped. Nothing is changed: a mirror of the database is opened, with links to its tables.
    """
    from inos.chain.checking import check_database

    with open_untouched(data_dir, network) as ledger:
        found = check_database(ledger, make_progress("checked", "blocks", is_quiet=json_))
    if json_:
        print_json(
            {"height": found.height, "blocks": found.blocks, "records": found.records, "state_root": found.root.hex()}
        )
        return
    print_text(f"blocks    {found.blocks} of the chain, up to height {found.height}: each follows the one before it")
    if found.blocks < found.height:
        first = found.height - found.blocks + 1
        print_text(f"headers   of all blocks below height {first}: this node does not keep their bodies")
    print_text(f"records   {found.records}: their root is that of the tip")


@app.command()
def compact(
    data_dir: DataDirOption = DEFAULT_DATA_DIR, network: DirNetworkOption = None, json_: JsonOption = False
) -> None:
    """Free the disk space of what was deleted or overwritten. The node must be stopped."""
    with open_stopped(data_dir, network) as node:
        before = _measure(node.folder)
        node.ledger.compact(make_progress("rewritten", "parts", is_quiet=json_))
    after = _measure(node.folder)
    if json_:
        print_json({"bytes_before": before, "bytes_after": after})
        return
    print_text(f"{before / 2**20:.1f} MiB before, {after / 2**20:.1f} MiB now")


@app.command("export")
def export_file(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write the chain to.")],
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    network: DirNetworkOption = None,
    matrices: Annotated[bool, typer.Option(help="Add the matrices that results are checked with.")] = True,
    json_: JsonOption = False,
) -> None:
    """Write every block of the chain into one file, for `inos db import`. The node must be stopped.

    A pruned node writes the blocks that it keeps; only a node that has the blocks below them can import the file.
    An export that was interrupted continues at the same place: start it again with the same FILE.
    """
    from inos.node.archive import export_chain

    with open_stopped(data_dir, network) as node:
        on_progress = make_progress("written", "blocks", is_quiet=json_)
        made = export_chain(node.ledger.view, node.store, file.expanduser(), on_progress, has_matrices=matrices)
    if json_:
        print_json(msgspec.to_builtins(made))
        return
    again = f", {made.taken_up} of them by an earlier run" if made.taken_up else ""
    print_text(f"{made.blocks} blocks, {made.first} to {made.last}{again}, and {made.matrices} matrices")
    print_text(f"{made.bytes / 2**20:,.1f} MiB in {file}")
    if made.absent:
        print_text(f"{made.absent} matrices are not in it: a node that imports it needs peers that have them")


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `inos db export` wrote.")],
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    network: DirNetworkOption = None,
    json_: JsonOption = False,
) -> None:
    """Import a chain from a file, every block checked, into a stopped node's database or a new one.

    Blocks that are stored already are skipped, so an import that was interrupted can simply be started again.
    """
    from inos.genesis import load_network
    from inos.node.archive import check_head, import_chain
    from inos.primitives.clock import SystemClock

    check_head(file.expanduser(), load_network(choose_network(data_dir, network)).genesis_id)
    with open_stopped(data_dir, network, is_new=True) as node:
        on_progress = make_progress("read", "bytes", is_quiet=json_)
        found = import_chain(node.ledger, node.store, file.expanduser(), SystemClock(), on_progress)
    if json_:
        print_json(msgspec.to_builtins(found))
        return
    print_text(
        f"{found.blocks} blocks from height {found.first} on: {found.blocks - found.known} new, {found.known} known"
    )
    print_text(f"{found.matrices} matrices imported; the chain is at height {found.height} now")


@app.command()
def recheck(
    data_dir: DataDirOption = DEFAULT_DATA_DIR, network: DirNetworkOption = None, json_: JsonOption = False
) -> None:
    """Check every block again that was found invalid, and show the result. The node must be stopped.

    A node remembers an invalid block with its reason, and never checks it, or a block on top of it, again. This
    command repairs what a bug of the program did, once the bug is fixed.
    """
    from inos.chain.recheck import recheck as recheck_database
    from inos.core.verification.results import StoredResults
    from inos.genesis import load_network
    from inos.mesh.store import MatrixStore
    from inos.node.datadir import DataDir
    from inos.primitives.bls import get_bls

    path = find_data_dir(data_dir)
    net = load_network(choose_network(path, network))
    with DataDir(path, net.genesis_id) as data:
        results = StoredResults(MatrixStore(data.matrices))
        found = recheck_database(data.ledger, net.params, net.state, results=results, bls=get_bls())
    if json_:
        print_json([_to_json(each) for each in found])
        return
    for each in found:
        print_text(f"block {'?' if each.block.height is None else each.block.height}  {each.block.id.hex()}")
        print_text(f"  was      [{each.block.code}] {each.block.message}")
        print_text(f"  is       {each.status if each.is_invalid else OUTCOMES[each.status]}")
    if not found:
        print_text("no block is remembered as invalid")
        return
    still = sum(each.is_invalid for each in found)
    print_text(f"{len(found)} blocks were remembered as invalid; {still} of them still are")


def _to_json(each: "Rechecked") -> dict[str, Any]:
    return {
        "id": each.block.id.hex(),
        "height": each.block.height,
        "was": {"code": each.block.code, "message": each.block.message},
        "status": each.status,
        "invalid": each.is_invalid,
    }


def _measure(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())
