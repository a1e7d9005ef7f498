"""`inos rpc METHOD [PARAMS]`: call any method of a node and print its result as JSON."""

import json
from typing import Annotated, Any

import typer

from inos.cli.common.options import DEFAULT_RPC, JsonOption, NodeDirOption, TokenFileOption
from inos.cli.common.output import fail, print_json
from inos.cli.common.remote import call_rpc, find_remote


def command(
    method: Annotated[str, typer.Argument(metavar="METHOD", help="Name such as chain_head; rpc.discover lists all.")],
    params: Annotated[
        str | None, typer.Argument(metavar="[PARAMS]", help="""JSON, by name or position: '{"block": 1}', '[1]'.""")
    ] = None,
    rpc: Annotated[
        str,
        typer.Option(
            "--rpc", "--url", envvar="INOS_RPC", metavar="URL", help="The RPC address of the node to talk to."
        ),
    ] = DEFAULT_RPC,
    token_file: TokenFileOption = None,
    data_dir: NodeDirOption = None,
    timeout: Annotated[
        float, typer.Option("--timeout", min=0.1, metavar="SECONDS", help="Longest time to wait for the answer.")
    ] = 60.0,
    json_: JsonOption = False,
) -> None:
    """Call any RPC method of a node and print its result."""
    node = find_remote(rpc, token_file, data_dir)
    print_json(call_rpc(node.url, method, parse_params(params), token=node.token, timeout_s=timeout))


def parse_params(text: str | None) -> dict[str, Any] | list[Any]:
    """Return the parameters typed on the command line.

    Raises:
        CommandError: "bad-params" if they are not a JSON array or object.
    """
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
