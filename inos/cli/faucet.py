"""`inos faucet`: a web page that gives away credits of a test network."""

import asyncio
from pathlib import Path
from typing import Annotated, Final

import typer
from aiohttp import web

from inos.cli.common.options import (
    DEFAULT_NETWORK,
    DEFAULT_RPC,
    DEFAULT_WALLET,
    IndexOption,
    NetworkOption,
    PasswordFileOption,
    RpcOption,
    WalletDirOption,
    WalletOption,
)
from inos.cli.common.output import fail, print_text
from inos.cli.common.wallets import open_wallet, parse_amount, require_same_network
from inos.client.client import Client
from inos.faucet.faucet import Faucet, Limits
from inos.faucet.server import make_app, pay_forever
from inos.genesis import Network, load_network
from inos.primitives.clock import SystemClock
from inos.primitives.units import format_credits
from inos.wallet.signers import Signer

SHUTDOWN_S: Final = 2.0
"""Requests that run when the faucet is stopped have this time to end."""


def command(
    folder: Annotated[
        Path, typer.Option("--folder", metavar="DIR", help="The folder that holds claims and payouts, over restarts.")
    ],
    amount: Annotated[
        str, typer.Option("--amount", metavar="CREDITS", help="What each address gets, once a day.")
    ] = "10",
    per_day: Annotated[
        int, typer.Option("--per-day", min=1, metavar="N", help="The most addresses that get their part in a day.")
    ] = 500,
    per_network: Annotated[
        int,
        typer.Option("--per-network", min=1, metavar="N", help="Those of them of one network (IPv4 /24, IPv6 /48)."),
    ] = 5,
    host: Annotated[str, typer.Option("--host", metavar="IP", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, metavar="PORT", help="The port to listen on.")
    ] = 8099,
    proxied: Annotated[
        bool, typer.Option("--proxied", help="A proxy in front names the client in X-Forwarded-For.")
    ] = False,
    wallet: WalletOption = DEFAULT_WALLET,
    index: IndexOption = 0,
    network: NetworkOption = DEFAULT_NETWORK,
    wallet_dir: WalletDirOption = None,
    password_file: PasswordFileOption = None,
    rpc: RpcOption = DEFAULT_RPC,
) -> None:
    """Give away credits of a test network by a web page, within limits.

    Give the faucet a wallet of its own: nothing else may spend from its account meanwhile.
    """
    net = load_network(network)
    limits = Limits(parse_amount(amount, "the amount"), per_network, per_day)
    require_same_network(rpc, net)
    signer = open_wallet(wallet_dir, wallet, net, index=index, password_file=password_file).open_signer()
    try:
        asyncio.run(_serve(net, rpc, signer, folder.expanduser(), limits, host, port, proxied=proxied))
    except OSError as error:
        fail("port-unusable", f"cannot listen on {host}:{port}: {error.strerror}", "give another --port or --host")


async def _serve(
    net: Network, rpc: str, signer: Signer, folder: Path, limits: Limits, host: str, port: int, *, proxied: bool
) -> None:
    credits = format_credits(limits.nano)
    async with Client(rpc, wallet=signer) as client:
        faucet = Faucet(client, folder, limits, SystemClock().now_ms)
        app = make_app(faucet, net.name, credits, is_proxied=proxied)
        runner = web.AppRunner(app, shutdown_timeout=SHUTDOWN_S)
        try:
            await runner.setup()
            site = web.TCPSite(runner, host, port)
            await site.start()
            most = format_credits(limits.nano * limits.per_day)
            print_text(f"faucet on {_get_url(runner)}: {credits} credits an address, {most} a day", flush=True)
            await pay_forever(faucet)
        finally:
            await runner.cleanup()
            faucet.close()


def _get_url(runner: web.AppRunner) -> str:
    host, port = runner.addresses[0][:2]
    return f"http://{host}:{port}"
