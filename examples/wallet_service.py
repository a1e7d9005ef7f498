"""A wallet service: a shop asks it for a new address for each order, and later whether the order was paid.

    inos devnet &
    python examples/wallet_service.py --rpc http://127.0.0.1:8645 --phrase-file phrase.txt --port 8080

    curl -X POST localhost:8080/orders -d '{"amount": "1.5"}'      {"order": 0, "address": "dinos1...", "amount": "1.5"}
    curl localhost:8080/orders/0                                   {"order": 0, "state": "waiting", ...}

Every order has its own key, derived from one recovery phrase, so only the phrase must be kept. A payment counts when it
is `--confirmations` blocks deep.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from aiohttp import web

import inos
from inos.primitives.units import format_credits, parse_credits
from inos.wallet.addresses import encode_address
from inos.wallet.keys import derive_key

CLIENT = web.AppKey("client", inos.Client)
SERVICE = web.AppKey("service", "Service")


class Service:
    """Orders by number, each with the address of its key."""

    def __init__(self, client: inos.Client, phrase: str, confirmations: int) -> None:
        self._client = client
        self._phrase = phrase
        self._confirmations = confirmations
        self._amounts: list[int] = []

    async def open_order(self, amount: str) -> dict[str, Any]:
        """Create an order with an address that was never used before."""
        nano = parse_credits(amount)
        self._amounts.append(nano)
        order = len(self._amounts) - 1
        return {"order": order, "address": await self._get_address(order), "amount": format_credits(nano)}

    async def read_order(self, order: int) -> dict[str, Any]:
        """Return the state of the payment: waiting, seen (not deep enough yet) or paid."""
        network = await self._client.get_network()
        wanted = self._amounts[order] - network.params.account_fee  # burned by the first payment to a new address
        address = await self._get_address(order)
        head = await self._client.head()
        history = await self._client.call("state_getHistory", {"address": address, "limit": 100})
        seen = deep = 0
        for entry in history["entries"]:
            received = sum(int(each["balance"]) for each in entry["movements"] if each["reason"] == "received")
            seen += received
            deep += received if head.height - entry["height"] + 1 >= self._confirmations else 0
        state = "paid" if deep >= wanted else "seen" if seen >= wanted else "waiting"
        return {"order": order, "state": state, "address": address, "received": format_credits(seen)}

    async def _get_address(self, order: int) -> str:
        network = await self._client.get_network()
        return encode_address(network.hrp, derive_key(self._phrase, account=1, index=order).address)


async def handle_open(request: web.Request) -> web.Response:
    try:
        amount = str(json.loads(await request.text())["amount"])
        return web.json_response(await request.app[SERVICE].open_order(amount), status=201)
    except (ValueError, KeyError, TypeError) as error:
        return web.json_response({"error": f'send {{"amount": "1.5"}}: {error}'}, status=400)


async def handle_read(request: web.Request) -> web.Response:
    try:
        return web.json_response(await request.app[SERVICE].read_order(int(request.match_info["order"])))
    except (ValueError, IndexError):
        return web.json_response({"error": "there is no such order"}, status=404)


def make_app(client: inos.Client, phrase: str, confirmations: int = 2) -> web.Application:
    """Return the service, which closes the client when it ends."""
    app = web.Application()
    app[CLIENT], app[SERVICE] = client, Service(client, phrase, confirmations)
    app.add_routes([web.post("/orders", handle_open), web.get("/orders/{order}", handle_read)])

    async def close(app: web.Application) -> None:
        await app[CLIENT].close()

    app.on_cleanup.append(close)
    return app


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rpc", default="http://127.0.0.1:8645")
    parser.add_argument("--phrase-file", type=Path, required=True)
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--confirmations", type=int, default=2)
    args = parser.parse_args()

    async def start() -> web.Application:
        client = inos.Client(args.rpc)
        try:
            await client.head()  # a node that does not answer is known before the first customer comes
        except inos.InosError:
            await client.close()
            raise
        return make_app(client, args.phrase_file.read_text().strip(), args.confirmations)

    try:
        web.run_app(start(), host="127.0.0.1", port=args.port)
    except inos.InosError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
