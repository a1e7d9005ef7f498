"""Networks as data: the presets in `data/`, and genesis files of users.

A file names the network and holds every consensus parameter and the first accounts; no field
has a default, and unknown fields are refused. Rules are in `consensus`, which gets
the parameters as values and never reads this package.

Pipeline: name or path -> JSON without duplicate keys -> `schema.GenesisFile` (pydantic, strict)
-> `inos.consensus.params.Params` and the genesis state -> `Network` with its genesis id.
"""

from inos.genesis.errors import GenesisError
from inos.genesis.loading import Network, derive_devnet, list_networks, load_network

__all__ = ["GenesisError", "Network", "derive_devnet", "list_networks", "load_network"]
