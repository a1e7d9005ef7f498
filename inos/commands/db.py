"""`inos db`: a stopped node's database: checked, compacted, judged again."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from inos.commands._common import DEFAULT_NETWORK, JsonOption, NetworkOption, fail, print_json

if TYPE_CHECKING:
    from chain.ledger import Ledger

app = typer.Typer(no_args_is_help=True, add_completion=False)

FATES: Final = {
    "connected": "valid: it is on the chain now",
    "stored": "no fault found: it is on a lighter chain, or waits for matrices",
    "header": "forgotten: its body was not kept, and is fetched from peers again",
    "unknown": "forgotten: its header is not here any more",
}


@app.callback()
def _db() -> None:
    """Look after a stopped node's database."""


DataDirOption = Annotated[
    Path, typer.Option("--data-dir", envvar="INOS_DATA_DIR", metavar="DIR", help="The node's data directory.")
]
DEFAULT_DATA_DIR: Final = Path("~/.inos/node")


@app.command()
def check(
    data_dir: DataDirOption = DEFAULT_DATA_DIR, network: NetworkOption = DEFAULT_NETWORK, json_: JsonOption = False
) -> None:
    """Read every block of the chain and every record of the state, and see that they fit together.

    Only while the node is stopped. Nothing is changed.
    """
    from chain.checking import check_database
    from inos.commands._progress import make_progress

    with _open(data_dir, network) as (ledger, _):
        found = check_database(ledger, make_progress("checked", is_quiet=json_))
    if json_:
        print_json(
            {"height": found.height, "blocks": found.blocks, "records": found.records, "state_root": found.root.hex()}
        )
        return
    print(f"blocks    {found.blocks} of the chain, up to height {found.height}: each follows the one before it")
    print(f"records   {found.records}: their root is that of the tip")


@app.command()
def compact(
    data_dir: DataDirOption = DEFAULT_DATA_DIR, network: NetworkOption = DEFAULT_NETWORK, json_: JsonOption = False
) -> None:
    """Give back the room of what was deleted or written over. Only while the node is stopped."""
    with _open(data_dir, network) as (ledger, folder):
        before = _measure(folder)
        ledger.compact()
    after = _measure(folder)
    if json_:
        print_json({"bytes_before": before, "bytes_after": after})
        return
    print(f"{before / 2**20:.1f} MiB before, {after / 2**20:.1f} MiB now")


@app.command()
def recheck(
    data_dir: DataDirOption = DEFAULT_DATA_DIR, network: NetworkOption = DEFAULT_NETWORK, json_: JsonOption = False
) -> None:
    """Judge again every block that was found invalid, and say what came of it.

    Only while the node is stopped. A block found invalid is remembered with its reason, and neither it nor what builds
    on it is looked at again; after a mistake in the program was mended, this makes good what it did.
    """
    from chain.recheck import recheck as recheck_database
    from genesis import load_network
    from mesh.store import MatrixStore
    from node.datadir import DataDir
    from node.results import StoredResults

    path = _find(data_dir)
    net = load_network(network)
    with DataDir(path, net.genesis_id) as data:
        results = StoredResults(MatrixStore(data.matrices))
        found = recheck_database(data.ledger, net.params, net.state, results=results)
    if json_:
        print_json(
            [
                {
                    "id": each.block.id.hex(),
                    "height": each.block.height,
                    "was": {"code": each.block.code, "message": each.block.message},
                    "status": each.status,
                    "invalid": each.is_invalid,
                }
                for each in found
            ]
        )
        return
    for each in found:
        print(f"block {'?' if each.block.height is None else each.block.height}  {each.block.id.hex()}")
        print(f"  was      [{each.block.code}] {each.block.message}")
        print(f"  is       {each.status if each.is_invalid else FATES[each.status]}")
    if not found:
        print("no block is remembered as invalid")
        return
    still = sum(each.is_invalid for each in found)
    print(f"{len(found)} were remembered as invalid; {still} of them still are")


def _find(data_dir: Path) -> Path:
    path = data_dir.expanduser()
    if not (path / "ledger").is_dir():
        fail("no-database", f"there is no node's database in {path}", "give the --data-dir the node was started with")
    return path


@contextmanager
def _open(data_dir: Path, network: str) -> Iterator[tuple["Ledger", Path]]:
    """A stopped node's ledger, and its folder."""
    from chain.ledger import Ledger
    from genesis import load_network
    from mesh.store import MatrixStore
    from node.datadir import DataDir
    from node.results import StoredResults

    path, net = _find(data_dir), load_network(network)
    with DataDir(path, net.genesis_id) as data:
        ledger = Ledger.open(data.ledger, net.params, net.state, results=StoredResults(MatrixStore(data.matrices)))
        try:
            yield ledger, data.ledger
        finally:
            ledger.close()


def _measure(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())
