"""The parts that people import and type: the `inos` command line, the client, the devnet.

They reach a running node only through its RPC. This module imports nothing when it is loaded, so that `inos --help`
does not have to load numpy or aiohttp.

Pipeline: `cli.main` -> one module of `inos.cli`, loaded by name -> wallet, genesis
or work in this process, or a node by JSON-RPC.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from inos.client.blocking_client import BlockingClient, connect
    from inos.client.chain_array import array
    from inos.client.client import Client
    from inos.client.errors import ClientError, JobFailed, RemoteError
    from inos.client.matmul import matmul, quote
    from inos.client.miner import Miner
    from inos.client.operands import BadOperand
    from inos.compiler.compiled import CompiledProgram, load_compiled
    from inos.compiler.entry import compile
    from inos.primitives.errors import InosError

__all__ = [
    "BadOperand",
    "BlockingClient",
    "Client",
    "ClientError",
    "CompiledProgram",
    "InosError",
    "JobFailed",
    "Miner",
    "RemoteError",
    "array",
    "compile",
    "connect",
    "load_compiled",
    "matmul",
    "quote",
]

_PLACES: Final = {
    "BadOperand": "inos.client.operands",
    "BlockingClient": "inos.client.blocking_client",
    "Client": "inos.client.client",
    "ClientError": "inos.client.errors",
    "CompiledProgram": "inos.compiler.compiled",
    "InosError": "inos.primitives.errors",
    "JobFailed": "inos.client.errors",
    "Miner": "inos.client.miner",
    "RemoteError": "inos.client.errors",
    "array": "inos.client.chain_array",
    "compile": "inos.compiler.entry",
    "connect": "inos.client.blocking_client",
    "load_compiled": "inos.compiler.compiled",
    "matmul": "inos.client.matmul",
    "quote": "inos.client.matmul",
}


if not TYPE_CHECKING:  # otherwise a misspelt `from inos import wrk` is Any for mypy

    def __getattr__(name: str) -> Any:
        """Import a name of `__all__` when it is first asked for."""
        if name not in _PLACES:
            raise AttributeError(f"module 'inos' has no attribute {name!r}")
        return getattr(import_module(_PLACES[name]), name)
