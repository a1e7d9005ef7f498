"""A light client runs as one process: it follows, answers, and stops in order."""

import asyncio
import contextlib
import json
import os
import random
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

from msgspec import Struct

from inos.consensus.finality import compute_epoch, is_checkpoint
from inos.consensus.params import Params
from inos.genesis import load_network
from inos.light.errors import LightError
from inos.light.light_client import LightClient
from inos.light.methods import HINT, METHODS
from inos.light.source import Connection, Source
from inos.primitives.bls import get_bls
from inos.primitives.votes import Checkpoint
from inos.rpc import NodePort, RpcServer, RpcSettings


class LightSettings(Struct, frozen=True, kw_only=True):
    """These are the settings of a light client."""

    network: str
    nodes: Sequence[str]
    """These are the RPC addresses of untrusted nodes."""
    data_dir: Path
    """The directory holds the client's RPC token and its ready file."""
    checkpoint: tuple[int, bytes] | None
    """The user trusts the final block with this height and id."""
    rpc_host: str
    rpc_port: int


async def run(settings: LightSettings, clock: Any, connect: Callable[[str], Connection]) -> None:
    """Follow and answer until SIGINT or SIGTERM.

    Args:
        connect: returns a connection to the node at an RPC address.

    Raises:
        InosError: "no-node", "bad-url", "bad-checkpoint", "port-in-use", ...
    """
    os.umask(0o077)  # only its owner may read what it writes, for any umask of the shell
    network = load_network(settings.network)
    if not settings.nodes:
        raise LightError(
            "no-node", "a light client needs at least one node to ask", hint="inos light --node http://HOST:8645"
        )
    sources = [_make_source(url.rstrip("/"), connect) for url in dict.fromkeys(settings.nodes)]
    given = _make_checkpoint(settings, network.params)
    client = LightClient(network, sources, clock, random.SystemRandom(), get_bls(), given)
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    server = RpcServer(
        cast(NodePort, client),  # The methods of the light client take the client itself.
        RpcSettings(token_path=settings.data_dir / "rpc.token", host=settings.rpc_host, port=settings.rpc_port),
        METHODS,
        method_hint=HINT,
    )
    stop = asyncio.Event()
    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup makes it ignored
        numbers.append(signal.SIGHUP)
    for number in numbers:
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await server.start()
    ready = settings.data_dir / "light.json"
    ready.write_text(json.dumps({"pid": os.getpid(), "rpc": server.url}) + "\n")
    print(f"INOS light client on {network.name}\n  rpc      {server.url}", flush=True)
    try:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(client.run())
            await stop.wait()
            task.cancel()
    finally:
        with contextlib.suppress(FileNotFoundError):
            ready.unlink()
        await server.stop()
        for source in sources:
            await source.connection.close()


def _make_source(url: str, connect: Callable[[str], Connection]) -> Source:
    if not url.startswith(("http://", "https://")):
        raise LightError("bad-url", f"{url!r} is not the address of a node", hint="write http://127.0.0.1:8645")
    return Source(url, connect(url))


def _make_checkpoint(settings: LightSettings, params: Params) -> Checkpoint | None:
    if settings.checkpoint is None:
        return None
    height, block = settings.checkpoint
    if height == 0 or not is_checkpoint(params, height):
        raise LightError(
            "bad-checkpoint",
            f"no epoch of {settings.network} ends at height {height}",
            hint=f"final blocks stand at multiples of {params.epoch_blocks}",
        )
    return Checkpoint(compute_epoch(params, height), block)
