"""`inos light`: follow headers, seals and votes only, and answer for accounts with proof."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from inos.cli.common.options import DEFAULT_NETWORK, NetworkOption
from inos.cli.common.output import fail


def command(
    node: Annotated[
        list[str],
        typer.Option("--node", metavar="URL", help="The RPC address of a node to ask; it is not trusted. Repeatable."),
    ],
    network: NetworkOption = DEFAULT_NETWORK,
    checkpoint: Annotated[
        str | None,
        typer.Option("--checkpoint", metavar="HEIGHT:ID", help="A final block that you trust. Default: genesis alone."),
    ] = None,
    data_dir: Annotated[
        Path, typer.Option("--data-dir", metavar="DIR", help="Where its RPC token is kept; it stores nothing else.")
    ] = Path("~/.inos/light"),
    rpc_host: Annotated[
        str, typer.Option("--rpc-host", metavar="HOST", help="The address its own JSON-RPC listens on.")
    ] = "127.0.0.1",
    rpc_port: Annotated[
        int,
        typer.Option(
            "--rpc-port", min=0, max=65_535, metavar="N", help="The port of its JSON-RPC; 0 takes a free one."
        ),
    ] = 8645,
    log_level: Annotated[
        str, typer.Option("--log-level", metavar="debug|info|warning|error", help="The least level that is logged.")
    ] = "info",
    log_format: Annotated[
        str, typer.Option("--log-format", metavar="console|json", help="The format of log lines.")
    ] = "console",
) -> None:
    """Follow a network without trusting any node and without executing its blocks.

    Headers, seals and votes are checked. state_getAccount on this client's own JSON-RPC answers with what a Merkle
    proof shows under the state root of the last final block, or of the tip while nothing is final, and says which.
    A node that is caught lying is named with its lie, and is asked no more.
    """
    from inos.cli.common.light_connection import LightConnection
    from inos.cli.common.log_errors import log_errors
    from inos.light.main import LightSettings, run
    from inos.node.logs import LEVELS, configure_logs
    from inos.node.settings import parse_checkpoint
    from inos.primitives.clock import SystemClock

    if log_level not in LEVELS:
        fail("bad-setting", f"--log-level {log_level!r} is not one of {', '.join(LEVELS)}")
    trusted = None
    if checkpoint is not None:
        try:
            trusted = parse_checkpoint(checkpoint)
        except ValueError as error:
            fail("bad-setting", f"--checkpoint: {error}")
    configure_logs(log_level, log_format)
    settings = LightSettings(
        network=network,
        nodes=tuple(node),
        data_dir=data_dir.expanduser(),
        checkpoint=trusted,
        rpc_host=rpc_host,
        rpc_port=rpc_port,
    )
    with log_errors(log_format):
        asyncio.run(run(settings, SystemClock(), LightConnection))
