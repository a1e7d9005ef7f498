"""A stopped node's data, opened by the commands that check, compact, copy and carry it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from inos.cli.common.output import fail

if TYPE_CHECKING:
    from inos.chain.ledger import Ledger
    from inos.genesis import Network
    from inos.mesh.store import MatrixStore


class StoppedNode(NamedTuple):
    """A data directory's contents, while its lock is held; `folder` is the database's."""

    network: "Network"
    folder: Path
    ledger: "Ledger"
    store: "MatrixStore"


def find_data_dir(data_dir: Path) -> Path:
    """Return the data directory with `~` resolved, once it is known to have a database.

    Raises:
        CommandError: "no-database".
    """
    path = data_dir.expanduser()
    if not (path / "ledger").is_dir():
        fail("no-database", f"there is no node's database in {path}", "give the --data-dir the node was started with")
    return path


@contextmanager
def open_stopped(data_dir: Path, network: str, *, is_new: bool = False) -> Iterator[StoppedNode]:
    """Lock a data directory and open what is in it.

    Args:
        is_new: make the data directory where there is none.

    Raises:
        CommandError: "no-database". NodeError: "data-dir-in-use", "other-genesis". ChainError: as Ledger.open.
    """
    from inos.chain.ledger import Ledger
    from inos.core.verification.results import StoredResults
    from inos.genesis import load_network
    from inos.mesh.store import MatrixStore
    from inos.node.datadir import DataDir
    from inos.primitives.bls import get_bls

    path = data_dir.expanduser() if is_new else find_data_dir(data_dir)
    net = load_network(network)
    with DataDir(path, net.genesis_id) as data:
        store = MatrixStore(data.matrices)
        ledger = Ledger.open(data.ledger, net.params, net.state, results=StoredResults(store), bls=get_bls())
        try:
            yield StoppedNode(net, data.ledger, ledger, store)
        finally:
            ledger.close()
            store.close()
