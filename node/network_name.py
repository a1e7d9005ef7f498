"""Which network a data directory belongs to: it keeps the genesis file that its node was first started with."""

from pathlib import Path
from typing import Final

from inos.chain.opening import MOVE_ON, is_of_protocol_1
from inos.core.errors import NodeError
from inos.genesis import list_networks, load_network
from inos.genesis.loading import read_genesis_text

NETWORK_FILE: Final = "genesis.json"
GENESIS_ID_FILE: Final = "genesis"
DEFAULT_NETWORK: Final = "devnet"


def find_network(data_dir: Path) -> str:
    """Return the name or the genesis file of the network that a data directory's chain belongs to.

    Raises:
        NodeError: "old-protocol"; "network-unknown" if the genesis is no preset's and there is no genesis file.
    """
    path = data_dir.expanduser()
    try:
        genesis = (path / GENESIS_ID_FILE).read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return DEFAULT_NETWORK  # no chain is here yet
    presets = [name for name in list_networks() if load_network(name).genesis_id.hex() == genesis]
    if presets:
        return presets[0]
    own = path / NETWORK_FILE
    if own.is_file():
        return str(own)
    if is_of_protocol_1(path / "ledger"):
        raise NodeError("old-protocol", f"{path} holds a chain of protocol 1, this program follows 2", hint=MOVE_ON)
    raise NodeError(
        "network-unknown",
        f"{path} holds the chain of genesis {genesis[:64]}, which is no preset's",
        hint="give its genesis file with --network",
    )


def keep_network(data_dir: Path, network: str) -> None:
    """Copy the genesis file of a network that is no preset into its data directory, for commands without --network."""
    own = data_dir / NETWORK_FILE
    if network not in list_networks() and not own.exists():
        own.write_text(read_genesis_text(network), encoding="utf-8")
