"""`inos rpc METHOD [PARAMS]`: any method of a node, its result as JSON."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from inos.commands._common import DEFAULT_RPC, JsonOption, call_rpc, fail, print_json

TOKEN_NAME = "rpc.token"
MAX_TOKEN_BYTES = 1024

TokenFileOption = Annotated[
    Path | None, typer.Option("--token-file", metavar="FILE", help="The node's rpc.token, for protected methods.")
]
DataDirOption = Annotated[
    Path | None, typer.Option("--data-dir", metavar="DIR", help="The node's data directory, to find its token.")
]


def command(
    method: Annotated[str, typer.Argument(metavar="METHOD", help="E.g. chain_head; rpc.discover lists all.")],
    params: Annotated[
        str | None, typer.Argument(metavar="[PARAMS]", help="""JSON, by name or position: '{"block": 1}', '[1]'.""")
    ] = None,
    rpc: Annotated[
        str, typer.Option("--rpc", "--url", envvar="INOS_RPC", metavar="URL", help="The node to talk to.")
    ] = DEFAULT_RPC,
    token_file: TokenFileOption = None,
    data_dir: DataDirOption = None,
    timeout: Annotated[float, typer.Option("--timeout", min=0.1, help="Seconds to wait for the answer.")] = 60.0,
    json_: JsonOption = False,
) -> None:
    """Call any RPC method of a node and print its result."""
    token = read_token(token_file, data_dir)
    print_json(call_rpc(rpc, method, parse_params(params), token=token, timeout_s=timeout))


def parse_params(text: str | None) -> dict[str, Any] | list[Any]:
    """Parameters from the command line; CommandError "bad-params" where they are no JSON array or object."""
    if text is None:
        return []
    hint = """write an array or an object, in quotes: '[1]' or '{"block": 1}'"""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        fail("bad-params", f"the parameters are not JSON: {error}", hint)
    if not isinstance(value, list | dict):
        fail("bad-params", f"the parameters are a single {type(value).__name__}", hint)
    return value


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
