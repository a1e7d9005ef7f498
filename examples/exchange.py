"""The chain side of an exchange: deposits are booked exactly once, withdrawals are paid exactly once.

    inos devnet &
    python examples/exchange.py --rpc http://127.0.0.1:8645 --phrase-file phrase.txt --folder exchange

    curl -X POST localhost:8090/customers                                        {"customer": 1, "address": "dinos1..."}
    curl localhost:8090/customers/1                                              {"customer": 1, "credits": "12.5"}
    curl -X POST localhost:8090/withdrawals -d '{"key": "w-17", "customer": 1, "to": "dinos1...", "credits": "3"}'
    curl localhost:8090/withdrawals/w-17                                         {"key": "w-17", "state": "done", ...}

Every customer has an address of their own, derived from one recovery phrase. Blocks are read one after the other up to
the last that is final (or `--depth` deep), and a block's deposits are booked together with its height in one
transaction of the database. So neither a kill nor a reorganisation books a deposit twice or forgets one. Withdrawals go
out from account 0 of the phrase, many at once (`inos.client.payouts`). What came in on the customers' addresses is
swept there, or to `--sweep-to`, once an address holds `--sweep-from` credits.
"""

import argparse
import asyncio
import json
import sqlite3
import sys
from pathlib import Path
from typing import Any, Final

from aiohttp import web

import inos
from inos.client import models
from inos.client.payouts import Payouts
from inos.primitives.units import NANO_PER_CREDIT, format_credits, parse_credits
from inos.wallet import build
from inos.wallet.addresses import encode_address
from inos.wallet.keys import Key, derive_key

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS cursor (one INTEGER PRIMARY KEY CHECK (one = 1), height INTEGER NOT NULL, id TEXT NOT NULL)
    STRICT;
CREATE TABLE IF NOT EXISTS customers (number INTEGER PRIMARY KEY, address TEXT UNIQUE NOT NULL, nano INTEGER NOT NULL)
    STRICT;
CREATE TABLE IF NOT EXISTS to_sweep (customer INTEGER PRIMARY KEY, empty_since INTEGER) STRICT;
CREATE TABLE IF NOT EXISTS deposits (tx TEXT NOT NULL, customer INTEGER NOT NULL, nano INTEGER NOT NULL,
    PRIMARY KEY (tx, customer)) STRICT;
CREATE TABLE IF NOT EXISTS withdrawals (key TEXT PRIMARY KEY, customer INTEGER NOT NULL, address TEXT NOT NULL,
    nano INTEGER NOT NULL, is_handed_over INTEGER NOT NULL) STRICT;
"""
BLOCKS_AT_ONCE: Final = 100
SWEPT_AT_ONCE: Final = 50
LEAST_FEES_SWEPT: Final = 100
"""An address is not swept for less than a hundred times the fee."""


class Refused(Exception):
    """A customer asked for what cannot be done; the text is for them."""


class Exchange:
    """The books.

    Args:
        phrase: account 0 pays withdrawals; customer n has address n of account 1.
        depth: blocks above a block after which it counts; None to wait for finality.
        sweep_from: nano that an address holds at least when it is swept.
        sweep_to: the address that gets what is swept; by default account 0, which pays withdrawals.
    """

    def __init__(
        self,
        client: inos.Client,
        phrase: str,
        folder: Path,
        depth: int | None,
        *,
        sweep_from: int = NANO_PER_CREDIT,
        sweep_to: str | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._client, self._phrase, self._depth = client, phrase, depth
        self._sweep_from, self._sweep_to = sweep_from, sweep_to
        self._db = sqlite3.connect(folder / "books.db", isolation_level=None)
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.executescript(SCHEMA)
        self._payouts = Payouts(folder / "payouts.db", client, depth)

    def close(self) -> None:
        self._payouts.close()
        self._db.close()

    async def add_customer(self) -> dict[str, Any]:
        """Make a customer with an address that was never used."""
        network = await self._client.get_network()
        number = self._read("SELECT coalesce(max(number), 0) + 1 FROM customers")[0]
        address = encode_address(network.hrp, self._derive(number).address)
        self._db.execute("INSERT INTO customers VALUES (?, ?, 0)", (number, address))
        return {"customer": number, "address": address}

    def get_customer(self, number: int) -> dict[str, Any]:
        found = self._read("SELECT nano FROM customers WHERE number = ?", number)
        if found is None:
            raise Refused(f"there is no customer {number}")
        return {"customer": number, "credits": format_credits(found[0])}

    async def withdraw(self, key: str, customer: int, to: str, credits: str) -> dict[str, Any]:
        """Take credits off a customer and pay them out; the same key again changes nothing."""
        nano = parse_credits(credits)
        known = self._read("SELECT customer, address, nano FROM withdrawals WHERE key = ?", key)
        if known is None:
            await self._payouts.check(key, to, nano)
            owned = self._read("SELECT nano FROM customers WHERE number = ?", customer)
            if owned is None or owned[0] < nano:
                raise Refused(f"customer {customer} has {format_credits(owned[0] if owned else 0)} credits")
            with self._db:
                self._db.execute("BEGIN")
                self._db.execute("INSERT INTO withdrawals VALUES (?, ?, ?, ?, 0)", (key, customer, to, nano))
                self._db.execute("UPDATE customers SET nano = nano - ? WHERE number = ?", (nano, customer))
        elif known != (customer, to, nano):
            raise Refused(f"key {key!r} is another withdrawal's")
        return await self.get_withdrawal(key)

    async def get_withdrawal(self, key: str) -> dict[str, Any]:
        """Return where a withdrawal is on its way."""
        if self._read("SELECT 1 FROM withdrawals WHERE key = ?", key) is None:
            raise Refused(f"there is no withdrawal {key!r}")
        await self._hand_over()
        return {"key": key, "state": self._payouts.get_state(key), "tx": self._payouts.find_transaction(key)}

    async def _hand_over(self) -> None:
        """Give the payouts what the books have taken off customers, also after a kill between the two."""
        query = "SELECT key, address, nano FROM withdrawals WHERE NOT is_handed_over"
        for key, address, nano in self._db.execute(query).fetchall():
            await self._payouts.add(key, address, nano)
            self._db.execute("UPDATE withdrawals SET is_handed_over = 1 WHERE key = ?", (key,))

    async def step(self) -> None:
        """Book the deposits of blocks that count by now, and move the withdrawals on."""
        head = await self._client.head()
        last = head.final_height if self._depth is None else max(0, head.height - self._depth)
        height, id_ = self._read("SELECT height, id FROM cursor") or (0, "")
        for number in range(height + 1, min(last, height + BLOCKS_AT_ONCE) + 1):
            block = await self._client.block(number)
            if id_ and block.header.parent != id_:
                raise SystemExit(f"block {number} does not follow {id_}: a block that counted is gone; ask a person")
            deposits = await self._list_deposits(block)
            id_ = block.id
            with self._db:
                self._db.execute("BEGIN")
                for tx, customer, nano in deposits:
                    self._db.execute("INSERT INTO deposits VALUES (?, ?, ?)", (tx, customer, nano))
                    self._db.execute("UPDATE customers SET nano = nano + ? WHERE number = ?", (nano, customer))
                    self._db.execute("INSERT OR REPLACE INTO to_sweep VALUES (?, NULL)", (customer,))
                self._db.execute("INSERT OR REPLACE INTO cursor VALUES (1, ?, ?)", (number, id_))
        await self._sweep(last)
        await self._hand_over()
        await self._payouts.step()

    async def _sweep(self, last: int) -> None:
        """Collect what addresses with new deposits hold; the books do not change, for the credits stay the exchange's.

        An address stays on the list until it was seen empty at a height that counts by now, so a sweep that a full
        pool drops or a reorganisation undoes is made again. Each address signs for itself, with its own next nonce, so
        two sweeps of one deposit exclude each other, also after a kill.
        """
        query = "SELECT customer, address, empty_since FROM to_sweep JOIN customers ON customer = number LIMIT ?"
        listed = self._db.execute(query, (SWEPT_AT_ONCE,)).fetchall()
        fee = (await self._client.estimate_fee()).fee if listed else 0
        for customer, address, empty_since in listed:
            head = await self._client.head()
            account = await self._client.account(address)
            if account.pending_nonce > account.nonce:
                continue  # a sweep waits for its block
            if account.balance >= max(self._sweep_from, LEAST_FEES_SWEPT * fee):
                await self._send_sweep(customer, account, fee)
            elif empty_since is None:
                self._db.execute("UPDATE to_sweep SET empty_since = ? WHERE customer = ?", (head.height, customer))
            elif empty_since <= last:
                self._db.execute("DELETE FROM to_sweep WHERE customer = ?", (customer,))

    async def _send_sweep(self, customer: int, account: models.Account, fee: int) -> None:
        network = await self._client.get_network()
        to = self._sweep_to or await self._client.get_address()
        payload = build.make_transfer(network.hrp, to, account.balance - build.check_advised_fee(fee))
        chain_id = network.params.chain_id
        tx = build.sign_payload(self._derive(customer), chain_id, account.nonce, fee, payload)
        await self._client.send_transaction(tx)

    def _derive(self, customer: int) -> Key:
        return derive_key(self._phrase, account=1, index=customer)

    async def _list_deposits(self, block: models.Block) -> list[tuple[str, int, int]]:
        """Return (transaction, customer, nano) for each transfer to a customer.

        The account's history says what arrived: the first payment to an address brings the account's fee less.
        """
        found = []
        for address in {address for tx in block.transactions for address in list_receivers(tx)}:
            customer = self._read("SELECT number FROM customers WHERE address = ?", address)
            if customer is None:
                continue
            before: str | None = f"{block.height + 1}-0"
            while before is not None:
                page = await self._client.history(address, before=before)
                here = [entry for entry in page.entries if entry.height == block.height]
                found += [(entry.id, int(customer[0]), entry.balance) for entry in here if entry.balance > 0]
                before = page.next if here and len(here) == len(page.entries) else None
        return found

    def _read(self, query: str, *values: Any) -> Any:
        return self._db.execute(query, values).fetchone()


def list_receivers(tx: models.Transaction) -> list[str]:
    """Return the addresses that a transaction pays."""
    payload: Any = tx.payload
    match tx.kind:
        case "transfer":
            return [payload["to"]]
        case "transfer_many":
            return [payment["to"] for payment in payload["payments"]]
        case _:
            return []


EXCHANGE = web.AppKey("exchange", Exchange)


async def handle_new_customer(request: web.Request) -> web.Response:
    return web.json_response(await request.app[EXCHANGE].add_customer(), status=201)


async def handle_customer(request: web.Request) -> web.Response:
    return web.json_response(request.app[EXCHANGE].get_customer(int(request.match_info["number"])))


async def handle_withdraw(request: web.Request) -> web.Response:
    asked = json.loads(await request.text())
    terms = (str(asked["key"]), int(asked["customer"]), str(asked["to"]), str(asked["credits"]))
    return web.json_response(await request.app[EXCHANGE].withdraw(*terms), status=202)


async def handle_withdrawal(request: web.Request) -> web.Response:
    return web.json_response(await request.app[EXCHANGE].get_withdrawal(request.match_info["key"]))


@web.middleware
async def answer_errors(request: web.Request, handler: Any) -> Any:
    try:
        return await handler(request)
    except (Refused, inos.InosError, ValueError, KeyError, TypeError) as error:
        return web.json_response({"error": str(error)}, status=400)


async def run(options: argparse.Namespace) -> None:
    """Serve until cancelled, and look at the chain every second."""
    phrase = options.phrase_file.read_text("utf-8").strip()
    async with inos.Client(options.rpc, wallet=derive_key(phrase)) as client:
        sweep_from = parse_credits(options.sweep_from)
        exchange = Exchange(
            client, phrase, options.folder, options.depth, sweep_from=sweep_from, sweep_to=options.sweep_to
        )
        app = web.Application(middlewares=[answer_errors])
        app[EXCHANGE] = exchange
        app.router.add_post("/customers", handle_new_customer)
        app.router.add_get("/customers/{number}", handle_customer)
        app.router.add_post("/withdrawals", handle_withdraw)
        app.router.add_get("/withdrawals/{key}", handle_withdrawal)
        runner = web.AppRunner(app, shutdown_timeout=2.0)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", options.port)
            await site.start()
            print(f"exchange on {site.name}", flush=True)
            while True:
                try:
                    await exchange.step()
                except inos.InosError as error:
                    print(f"tried again soon: {error}", file=sys.stderr, flush=True)
                await asyncio.sleep(options.pause)
        finally:
            await runner.cleanup()
            exchange.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rpc", default="http://127.0.0.1:8645")
    parser.add_argument("--phrase-file", type=Path, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--port", type=int, default=8090)
    parser.add_argument("--depth", type=int, default=None, help="blocks after which a block counts; default: finality")
    parser.add_argument("--sweep-from", default="1", metavar="CREDITS", help="collect from addresses with so much")
    parser.add_argument("--sweep-to", metavar="ADDRESS", help="where to; default: account 0, which pays withdrawals")
    parser.add_argument("--pause", type=float, default=1.0, help="seconds between two looks at the chain")
    try:
        asyncio.run(run(parser.parse_args()))
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
