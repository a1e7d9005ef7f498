"""A merchant's wallet service: a shop asks it for a new address for each order, and later whether the order was paid.

    inos devnet &
    python examples/wallet_service.py --rpc http://127.0.0.1:8645 --phrase-file phrase.txt --orders orders.db

    curl -X POST localhost:8080/orders -d '{"amount": "1.5", "message": "Invoice 7"}'
    {"order": 0, "address": "dinos1...", "amount": "1.5", "link": "inos:dinos1...?amount=1.5&message=Invoice%207"}
    curl localhost:8080/orders/0                      {"order": 0, "state": "waiting", ...}
    curl localhost:8080/orders/0/qr.svg               the link as a QR code, for the customer's wallet

Every order has its own key, derived from one recovery phrase, so only the phrase and the file of orders must be kept:
an address is never given twice, also after a restart. A payment counts when it is `--confirmations` blocks deep.
"""

import argparse
import io
import json
import sqlite3
import sys
from pathlib import Path
from typing import Any, Final

import segno
from aiohttp import web

import inos
from inos.primitives.units import Nano, format_credits, parse_credits
from inos.wallet.addresses import encode_address
from inos.wallet.keys import derive_key
from inos.wallet.links import PayLink, make_pay_link

CLIENT = web.AppKey("client", inos.Client)
SERVICE = web.AppKey("service", "Service")


SCHEMA: Final = "CREATE TABLE IF NOT EXISTS orders (number INTEGER PRIMARY KEY, nano INTEGER, message TEXT) STRICT"


class Service:
    """Orders by number, each with the address of its key.

    Args:
        orders: the file that keeps them.
    """

    def __init__(self, client: inos.Client, phrase: str, orders: Path, confirmations: int) -> None:
        self._client = client
        self._phrase = phrase
        self._confirmations = confirmations
        self._db = sqlite3.connect(orders, isolation_level=None)
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute(SCHEMA)

    def close(self) -> None:
        self._db.close()

    async def open_order(self, amount: str, message: str) -> dict[str, Any]:
        """Create an order with an address that was never used before."""
        nano = parse_credits(amount)
        hrp = (await self._client.get_network()).hrp
        make_pay_link(hrp, PayLink(derive_key(self._phrase).address, nano, message))  # refuses what makes no link
        numbered = "INSERT INTO orders SELECT coalesce(max(number) + 1, 0), ?, ? FROM orders RETURNING number"
        order = int(self._db.execute(numbered, (nano, message)).fetchone()[0])
        address = encode_address(hrp, derive_key(self._phrase, account=1, index=order).address)
        shown = {"order": order, "address": address, "amount": format_credits(nano)}
        return shown | {"link": await self.make_link(order)}

    async def make_link(self, order: int) -> str:
        """Return the order's pay link."""
        nano, message = self._get_order(order)
        hrp, key = (await self._client.get_network()).hrp, derive_key(self._phrase, account=1, index=order)
        return make_pay_link(hrp, PayLink(key.address, Nano(nano), message))

    async def read_order(self, order: int) -> dict[str, Any]:
        """Return the state of the payment: waiting, seen (not deep enough yet) or paid."""
        nano, _ = self._get_order(order)
        network = await self._client.get_network()
        wanted = nano - network.params.account_fee  # burned by the first payment to a new address
        address = encode_address(network.hrp, derive_key(self._phrase, account=1, index=order).address)
        head = await self._client.head()
        seen = deep = 0
        before: str | None = None
        while True:
            page = await self._client.history(address, before=before)
            for entry in page.entries:
                received = sum(each.balance for each in entry.movements if each.reason == "received")
                seen += received
                deep += received if head.height - entry.height + 1 >= self._confirmations else 0
            before = page.next
            if before is None:
                break
        state = "paid" if deep >= wanted else "seen" if seen >= wanted else "waiting"
        return {"order": order, "state": state, "address": address, "received": format_credits(seen)}

    def _get_order(self, order: int) -> tuple[int, str]:
        found = self._db.execute("SELECT nano, message FROM orders WHERE number = ?", (order,)).fetchone()
        if found is None:
            raise IndexError(order)
        return int(found[0]), str(found[1])


async def handle_open(request: web.Request) -> web.Response:
    try:
        asked = json.loads(await request.text())
        made = await request.app[SERVICE].open_order(str(asked["amount"]), str(asked.get("message", "")))
        return web.json_response(made, status=201)
    except (ValueError, KeyError, TypeError, inos.InosError) as error:
        return web.json_response({"error": f'send {{"amount": "1.5"}}: {error}'}, status=400)


async def handle_read(request: web.Request) -> web.Response:
    try:
        return web.json_response(await request.app[SERVICE].read_order(int(request.match_info["order"])))
    except (ValueError, IndexError):
        return web.json_response({"error": "there is no such order"}, status=404)


async def handle_qr(request: web.Request) -> web.Response:
    try:
        link = await request.app[SERVICE].make_link(int(request.match_info["order"]))
    except (ValueError, IndexError):
        return web.json_response({"error": "there is no such order"}, status=404)
    picture = io.BytesIO()
    segno.make(link).save(picture, kind="svg", scale=4)
    return web.Response(body=picture.getvalue(), content_type="image/svg+xml")


def make_app(client: inos.Client, phrase: str, orders: Path, confirmations: int = 2) -> web.Application:
    """Return the service, which closes the client when it ends."""
    app = web.Application()
    app[CLIENT], app[SERVICE] = client, Service(client, phrase, orders, confirmations)
    app.router.add_post("/orders", handle_open)
    app.router.add_get("/orders/{order}", handle_read)
    app.router.add_get("/orders/{order}/qr.svg", handle_qr)

    async def close(app: web.Application) -> None:
        app[SERVICE].close()
        await app[CLIENT].close()

    app.on_cleanup.append(close)
    return app


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rpc", default="http://127.0.0.1:8645")
    parser.add_argument("--phrase-file", type=Path, required=True)
    parser.add_argument("--orders", type=Path, default=Path("orders.db"), help="the file that keeps the orders")
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
        return make_app(client, args.phrase_file.read_text().strip(), args.orders, args.confirmations)

    try:
        web.run_app(start(), host="127.0.0.1", port=args.port)
    except inos.InosError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
