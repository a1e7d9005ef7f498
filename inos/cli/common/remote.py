"""The node a command talks to: its address, the token of its protected methods, and calls to it."""

import os
from pathlib import Path
from typing import Any, Final, NamedTuple

from inos.cli.common.options import DEFAULT_RPC
from inos.cli.common.output import fail
from inos.primitives.secret_files import SecretFileError, read_secret_text

TOKEN_NAME: Final = "rpc.token"
RPC_TIMEOUT_S: Final = 30.0
MAX_TIMEOUT_S: Final = 86_400.0


def call_rpc(
    url: str, method: str, params: Any = (), *, token: str | None = None, timeout_s: float = RPC_TIMEOUT_S
) -> Any:
    """Make one JSON-RPC call and return its result as JSON has it; see `inos.client.blocking.call_node`."""
    from inos.client.blocking import call_node  # imports aiohttp, which no help text needs

    return call_node(url, method, params, token=token, timeout_s=max(0.1, min(MAX_TIMEOUT_S, timeout_s)))


class Remote(NamedTuple):
    """A node's RPC address, and its token if one was given."""

    url: str
    token: str | None

    def call(self, method: str, params: dict[str, Any] | None = None, timeout_s: float = RPC_TIMEOUT_S) -> Any:
        """Call a method of this node; see `call_rpc`."""
        return call_rpc(self.url, method, params or {}, token=self.token, timeout_s=timeout_s)


def find_remote(rpc: str, token_file: Path | None, data_dir: Path | None) -> Remote:
    """Return the node that --rpc, --token-file and --data-dir name; --rpc wins over the data directory's address.

    Raises:
        CommandError: "token-unreadable".
    """
    return Remote(find_rpc(rpc, data_dir), read_token(token_file, data_dir))


def find_rpc(rpc: str, data_dir: Path | None) -> str:
    """Return the address of the node that runs on `data_dir`, unless --rpc was given at least as expressly.

    An option counts more than an environment variable, and that more than a default.

    Raises:
        CommandError: "node-not-running", where the option --data-dir names a directory that no node runs on.
    """
    if data_dir is None:
        return rpc
    dir_rank = 1 if str(data_dir) == os.environ.get("INOS_DATA_DIR") else 2
    rpc_rank = 0 if rpc == DEFAULT_RPC else 1 if rpc == os.environ.get("INOS_RPC") else 2
    if rpc_rank >= dir_rank:
        return rpc
    from inos.node.process import LIGHT_NAME, READY_NAME, read_ready_file

    for name in (READY_NAME, LIGHT_NAME):
        found = read_ready_file(data_dir, name)
        if found is not None and found.is_running():
            return found.rpc
    if dir_rank < 2 or rpc_rank > 0:
        return rpc
    fail("node-not-running", f"no node runs on {data_dir}", "start it, or give --rpc alone to ask another node")


def read_token(token_file: Path | None, data_dir: Path | None) -> str | None:
    """Return the token from the file given, or from the data directory; None if neither was given.

    Raises:
        CommandError: "token-unreadable".
    """
    if token_file is None and data_dir is None:
        return None
    path = token_file if token_file is not None else (data_dir or Path()) / TOKEN_NAME
    try:
        return read_secret_text(path, "token")
    except SecretFileError as error:
        fail("token-unreadable", error.message, error.hint)
