"""The node a command talks to: where it is, and the token of its guarded methods."""

import json
import os
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import typer
from msgspec import Struct

from inos.cli.common.output import DEFAULT_RPC, RPC_TIMEOUT_S, call_rpc, fail

TOKEN_NAME: Final = "rpc.token"
MAX_TOKEN_BYTES: Final = 1024

TokenFileOption = Annotated[
    Path | None, typer.Option("--token-file", metavar="FILE", help="The node's rpc.token, for protected methods.")
]
DataDirOption = Annotated[
    Path | None,
    typer.Option(
        "--data-dir", envvar="INOS_DATA_DIR", metavar="DIR", help="The node's data directory: its address and token."
    ),
]


class NodeFile(Struct, frozen=True):
    """node.json, which a node leaves in its data directory while it runs, as far as commands read it."""

    pid: int
    rpc: str

    def is_running(self) -> bool:
        """Whether that process is there; a killed node leaves its file behind."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:  # somebody else's
            return True
        return True


class Remote(NamedTuple):
    """A node's address, and its token where one was given."""

    url: str
    token: str | None

    def call(self, method: str, params: dict[str, Any] | None = None, timeout_s: float = RPC_TIMEOUT_S) -> Any:
        """As call_rpc."""
        return call_rpc(self.url, method, params or {}, token=self.token, timeout_s=timeout_s)


def find_remote(rpc: str, token_file: Path | None, data_dir: Path | None) -> Remote:
    """The node of --rpc, --token-file and --data-dir: a data directory names both, but --rpc wins.

    Raises:
        CommandError: "token-unreadable".
    """
    return Remote(find_rpc(rpc, data_dir), read_token(token_file, data_dir))


def find_rpc(rpc: str, data_dir: Path | None) -> str:
    """The address of the node that runs on `data_dir`, unless --rpc was given as expressly as that was."""
    if data_dir is None:
        return rpc
    typed = 1 if str(data_dir) == os.environ.get("INOS_DATA_DIR") else 2
    if (0 if rpc == DEFAULT_RPC else 1 if rpc == os.environ.get("INOS_RPC") else 2) >= typed:
        return rpc
    found = read_node_file(data_dir)
    return found.rpc if found is not None and found.is_running() else rpc


def read_node_file(data_dir: Path) -> NodeFile | None:
    """The file in a node's data directory; None where there is none, or none that can be read."""
    try:
        found = json.loads((data_dir.expanduser() / "node.json").read_bytes())
        return NodeFile(int(found["pid"]), str(found["rpc"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def read_token(token_file: Path | None, data_dir: Path | None) -> str | None:
    """The node's token where one of the two was given; CommandError "token-unreadable"."""
    if token_file is None and data_dir is None:
        return None
    path = token_file if token_file is not None else (data_dir or Path()) / TOKEN_NAME
    try:
        with path.expanduser().open("rb") as file:
            token = file.read(MAX_TOKEN_BYTES).decode("ascii").strip()
    except OSError as error:
        fail(
            "token-unreadable",
            f"cannot read the token in {path}: {error.strerror}",
            "it lies in the node's data directory, and only the node's user may read it",
        )
    except UnicodeDecodeError:
        fail("token-unreadable", f"{path} does not hold a token")
    return token
