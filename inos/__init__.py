"""What people import and type: the `inos` command line, the client, the devnet.

It reaches a running node only through its RPC, never around it. Nothing is imported
here on purpose: `inos --help` must not pay for numpy or aiohttp.

Pipeline: `cli.main` -> one module of `inos.commands`, loaded by name -> wallet, genesis
or work in this process, or a node by JSON-RPC.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inos._matmul import matmul
    from inos._miner import Miner
    from inos.client import Client

__all__ = ["Client", "Miner", "matmul"]


def __getattr__(name: str) -> Any:
    """`inos.Client`, `inos.Miner` and `inos.matmul`, imported when they are first asked for."""
    if name == "Client":
        from inos.client import Client

        return Client
    if name == "Miner":
        from inos._miner import Miner

        return Miner
    if name == "matmul":
        from inos._matmul import matmul

        return matmul
    raise AttributeError(f"module 'inos' has no attribute {name!r}")
