"""`inos db`: a stopped node's database."""

from pathlib import Path
from typing import Annotated, Final

import typer

from inos.commands._common import DEFAULT_NETWORK, JsonOption, NetworkOption, fail, print_json

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


@app.command()
def recheck(
    data_dir: Annotated[
        Path, typer.Option("--data-dir", envvar="INOS_DATA_DIR", metavar="DIR", help="The node's data directory.")
    ] = Path("~/.inos/node"),
    network: NetworkOption = DEFAULT_NETWORK,
    json_: JsonOption = False,
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

    path = data_dir.expanduser()
    if not (path / "ledger").is_dir():
        fail("no-database", f"there is no node's database in {path}", "give the --data-dir the node was started with")
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
