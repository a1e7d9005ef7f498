"""Concrete networks as data: the presets in `data/`, and genesis files of one's own.

A file names the network and holds every consensus parameter and the first accounts; nothing
is left to defaults, and unknown fields are refused. Rules live in `consensus`, which is handed
the parameters and never reads this package.

Pipeline: name or path -> JSON without duplicate keys -> `schema.GenesisFile` (pydantic, strict)
-> `inos.consensus.params.Params` and the genesis state -> `Network` with its genesis id.
"""

from inos.genesis.errors import GenesisError
from inos.genesis.loading import Network, derive_devnet, list_networks, load_network

__all__ = ["GenesisError", "Network", "derive_devnet", "list_networks", "load_network"]
