"""A stopped node's data, opened by the commands that check, compact, copy and carry it."""

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
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
    ledger = path / "ledger"
    if not ledger.is_dir() or not any(ledger.iterdir()):
        fail("no-database", f"there is no node's database in {path}", "give the --data-dir the node was started with")
    return path


def choose_network(data_dir: Path, network: str | None) -> str:
    """Return the network that was given, else that of the data directory."""
    from inos.node.network_name import find_network

    return find_network(data_dir) if network is None else network


@contextmanager
def open_untouched(data_dir: Path, network: str | None) -> Iterator["Ledger"]:
    """Open a mirror of a stopped node's database; nothing is written to the data directory.

    Raises:
        CommandError: "no-database". NodeError: "data-dir-in-use", "other-genesis". ChainError: as Ledger.open.
    """
    from inos.chain.errors import ChainError
    from inos.chain.ledger import Ledger
    from inos.chain.mirror import make_mirror
    from inos.core.verification.results import StoredResults
    from inos.genesis import load_network
    from inos.mesh.store import MatrixStore
    from inos.node.datadir import DataDir
    from inos.primitives.bls import get_bls

    path, net = find_data_dir(data_dir), load_network(choose_network(data_dir, network))
    with (
        DataDir(path, net.genesis_id, is_read_only=True) as data,
        TemporaryDirectory(prefix="inos-check-") as folder,
        contextlib.closing(MatrixStore(Path(folder) / "matrices")) as store,
    ):
        mirror = Path(folder) / "ledger"
        make_mirror(data.ledger, mirror)
        results = StoredResults(store)
        try:
            with contextlib.closing(
                Ledger.open(mirror, net.params, net.state, results=results, bls=get_bls(), is_durable=False)
            ) as ledger:
                yield ledger
        except ChainError as error:  # It is about the mirror, and the user knows the database.
            text = error.message.replace(str(mirror), str(data.ledger))
            raise ChainError(error.code, text, hint=error.hint) from error


@contextmanager
def open_stopped(data_dir: Path, network: str | None, *, is_new: bool = False) -> Iterator[StoppedNode]:
    """Lock a data directory and open what is in it.

    Args:
        is_new: make the data directory if there is none.

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
    net = load_network(choose_network(path, network))
    with DataDir(path, net.genesis_id) as data:
        store = MatrixStore(data.matrices)
        ledger = Ledger.open(data.ledger, net.params, net.state, results=StoredResults(store), bls=get_bls())
        try:
            yield StoppedNode(net, data.ledger, ledger, store)
        finally:
            ledger.close()
            store.close()
