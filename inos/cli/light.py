"""`inos light`: follow headers, seals and votes only, and answer for accounts with proof."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from inos.cli.common.output import fail


def command(
    node: Annotated[
        list[str],
        typer.Option("--node", metavar="URL", help="RPC of a node to ask; it is not trusted. Repeatable."),
    ],
    network: Annotated[
        str, typer.Option("--network", metavar="NAME|FILE", help="A preset's name or a genesis file.")
    ] = "devnet",
    checkpoint: Annotated[
        str | None,
        typer.Option("--checkpoint", metavar="HEIGHT:ID", help="A final block you believe in. [genesis alone]"),
    ] = None,
    data_dir: Annotated[
        Path, typer.Option("--data-dir", metavar="DIR", help="Of its RPC token; it keeps nothing else.")
    ] = Path("~/.inos/light"),
    rpc_host: Annotated[str, typer.Option("--rpc-host", metavar="HOST")] = "127.0.0.1",
    rpc_port: Annotated[
        int, typer.Option("--rpc-port", min=0, max=65_535, metavar="N", help="0 takes a free port.")
    ] = 8645,
    log_level: Annotated[str, typer.Option("--log-level", metavar="debug|info|warning|error")] = "info",
    log_format: Annotated[str, typer.Option("--log-format", metavar="console|json")] = "console",
) -> None:
    """Follow a network without trusting any node and without executing its blocks.

    Headers, seals and votes are checked. state_getAccount on this client's own JSON-RPC answers with what a Merkle
    proof shows under the last final block's state root, or, while nothing is final, the chain's tip's, and says which.
    A node caught lying is named with what it lied about, and asked no more.
    """
    from inos.light.main import LightSettings, run
    from inos.node.logs import LEVELS, configure_logs
    from inos.node.settings import parse_checkpoint
    from inos.primitives.clock import SystemClock

    if log_level not in LEVELS:
        fail("bad-setting", f"--log-level {log_level!r} is none of {', '.join(LEVELS)}")
    given = None
    if checkpoint is not None:
        try:
            given = parse_checkpoint(checkpoint)
        except ValueError as error:
            fail("bad-setting", f"--checkpoint: {error}")
    configure_logs(log_level, log_format)
    settings = LightSettings(
        network=network,
        nodes=tuple(node),
        data_dir=data_dir.expanduser(),
        checkpoint=given,
        rpc_host=rpc_host,
        rpc_port=rpc_port,
    )
    asyncio.run(run(settings, SystemClock()))
