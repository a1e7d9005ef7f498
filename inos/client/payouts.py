"""Payouts that happen exactly once: each has a key of the caller's, and up to 256 go out with one transaction.

A file (SQLite) holds every payout and every signed batch before it is sent. So a program that is killed at any point
sends the same bytes again after its restart, and a payout whose key is there already is never made a second time.
One batch is on its way at a time. It is done when its block is final, or `depth` deep on a network without finality.
"""

import sqlite3
from pathlib import Path
from typing import Final, Literal, TypeAlias

from inos.client.client import Client
from inos.client.errors import ClientError, RemoteError
from inos.primitives.payments import MAX_PAYMENTS
from inos.primitives.transactions import Transaction, compute_tx_id
from inos.wallet import build
from inos.wallet.addresses import decode_address

State: TypeAlias = Literal["waiting", "sent", "done"]
MAX_KEY: Final = 200
MAX_NANO: Final = 2**63 - 1
"""The most that the file's integers hold, which is half of what the chain's do."""
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS payouts (
    key TEXT PRIMARY KEY, address TEXT NOT NULL, nano INTEGER NOT NULL, batch INTEGER REFERENCES batches(number)
) STRICT;
CREATE INDEX IF NOT EXISTS by_batch ON payouts (batch);
CREATE TABLE IF NOT EXISTS batches (
    number INTEGER PRIMARY KEY, nonce INTEGER NOT NULL, id TEXT NOT NULL, hex TEXT NOT NULL, is_done INTEGER NOT NULL
) STRICT;
"""


class Payouts:
    """Pays from the client's account, which nothing else may spend from meanwhile.

    Args:
        path: the file; it is made if it is missing, and belongs to one process at a time.
        depth: blocks above a payout's block after which it is done, if that comes before finality; None to wait for
            finality.

    Raises:
        ClientError: "payouts-unusable" if the file cannot be used, or another process has it.
    """

    def __init__(self, path: Path, client: Client, depth: int | None = None) -> None:
        self._client = client
        self._depth = depth
        try:
            self._db = _open(path)
        except sqlite3.Error as error:
            raise ClientError(
                "payouts-unusable",
                f"cannot use {path}: {error}",
                hint="let one process use it, and put it back from a backup if it is damaged",
            ) from error

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    async def add(self, key: str, address: str, nano: int) -> State:
        """Record a payout, which `step` makes; return its state.

        Args:
            key: names the payout for ever, for instance an order's number. The same key again changes nothing.

        Raises:
            ClientError: "key-used" if the key names another payout; "bad-key" for none, or a longer one than MAX_KEY.
            WalletError: the address or the amount is bad.
        """
        await self.check(key, address, nano)
        self._db.execute("INSERT OR IGNORE INTO payouts (key, address, nano) VALUES (?, ?, ?)", (key, address, nano))
        known = self._db.execute("SELECT address, nano FROM payouts WHERE key = ?", (key,)).fetchone()
        if known != (address, nano):
            raise ClientError(
                "key-used",
                f"payout {key!r:.60} is {known[1]} nano to {known[0]} already",
                hint="give every payout a key of its own",
            )
        return self.get_state(key)

    async def check(self, key: str, address: str, nano: int) -> None:
        """Check that `add` could record a payout, and record nothing; it raises as `add` for what is bad."""
        if not 0 < len(key) <= MAX_KEY:
            raise ClientError("bad-key", f"a payout's key has 1 to {MAX_KEY} characters, not {len(key)}")
        network = await self._client.get_network()
        decode_address(network.hrp, address)
        least = max(1, network.params.job_fee)
        if not least <= nano <= MAX_NANO:
            raise ClientError("bad-amount", f"a payout is {least} to {MAX_NANO} nano, not {nano}")

    def get_state(self, key: str) -> State:
        """Return where a payout is on its way; ClientError "unknown-key"."""
        query = "SELECT batch, is_done FROM payouts LEFT JOIN batches ON batch = number WHERE key = ?"
        found = self._db.execute(query, (key,)).fetchone()
        if found is None:
            raise ClientError("unknown-key", f"there is no payout {key!r:.60}", hint="record it first, with add")
        batch, is_done = found
        return "waiting" if batch is None else "done" if is_done else "sent"

    def find_transaction(self, key: str) -> str | None:
        """Return the id of the transaction that has a payout, or None before it is sent."""
        query = "SELECT id FROM payouts JOIN batches ON batch = number WHERE key = ?"
        found = self._db.execute(query, (key,)).fetchone()
        return None if found is None else str(found[0])

    def count_open(self) -> int:
        """Return how many payouts are not done."""
        query = "SELECT count(*) FROM payouts LEFT JOIN batches ON batch = number WHERE is_done IS NOT 1"
        return int(self._db.execute(query).fetchone()[0])

    def sum_unpaid(self, nonce: int) -> int:
        """Return the nano of all payouts that are in no block yet, if the account's next nonce is `nonce`."""
        query = "SELECT nano FROM payouts LEFT JOIN batches ON batch = number WHERE batch IS NULL OR nonce >= ?"
        return sum(int(nano) for (nano,) in self._db.execute(query, (nonce,)))

    async def step(self) -> None:
        """Look at the batch on its way, and send it again if no block has it; without one, make and send the next.

        Raises:
            ClientError: "nonce-taken" if another transaction of the account took the batch's place: a person must find
                out what paid, and `step` does nothing until then.
            WalletError: the account cannot pay the next batch; nothing was recorded.
            RemoteError, TransportError: the node refuses or does not answer; call again later.
        """
        open_batch = self._db.execute("SELECT number, nonce, id, hex FROM batches WHERE NOT is_done").fetchone()
        if open_batch is None:
            open_batch = await self._make_batch()
        if open_batch is None:
            return
        number, nonce, id_, data = open_batch
        found = await self._find(id_)
        if found is None and (await self._client.account()).nonce > nonce:
            found = await self._find(id_)  # A block may have come between the two answers.
            if found is None:
                raise ClientError(
                    "nonce-taken",
                    f"batch {number} ({id_}) has nonce {nonce}, which another transaction of the account used",
                    hint="see inos wallet history; nothing else may spend from the account",
                )
        if found is None:
            await self._send(data)
        elif found:
            self._db.execute("UPDATE batches SET is_done = 1 WHERE number = ?", (number,))

    async def _find(self, id_: str) -> bool | None:
        """Return True if the transaction is deep enough, False if it waits for that, None if no block has it."""
        try:
            found = await self._client.transaction(id_)
        except RemoteError as error:
            if error.code == "transaction-unknown":
                return None
            raise
        if found.height is None:
            return False
        is_deep = self._depth is not None and found.confirmations > self._depth
        return found.finality == "final" or is_deep

    async def _send(self, data: str) -> None:
        try:
            await self._client.send_transaction(build.decode_transaction(data))
        except RemoteError as error:
            if error.code != "already-known":
                raise

    async def _make_batch(self) -> tuple[int, int, str, str] | None:
        """Sign the oldest payouts that wait, and record the batch; None if none waits.

        No address is paid twice in one transaction, so a second payout to one waits for the next batch.
        """
        waiting = "SELECT min(rowid), key, address, nano FROM payouts WHERE batch IS NULL"
        query = f"{waiting} GROUP BY address ORDER BY 1 LIMIT ?"
        chosen = self._db.execute(query, (MAX_PAYMENTS,)).fetchall()
        if not chosen:
            return None
        tx = await self._sign([(address, nano) for _, _, address, nano in chosen])
        id_, data = compute_tx_id(tx).hex(), build.encode_transaction(tx)
        with self._db:
            self._db.execute("BEGIN")
            values = (tx.nonce, id_, data)
            cursor = self._db.execute("INSERT INTO batches (nonce, id, hex, is_done) VALUES (?, ?, ?, 0)", values)
            number = int(cursor.lastrowid or 0)
            keys = [(number, key) for _, key, _, _ in chosen]
            self._db.executemany("UPDATE payouts SET batch = ? WHERE key = ?", keys)
        return number, tx.nonce, id_, data

    async def _sign(self, payments: list[tuple[str, int]]) -> Transaction:
        network = await self._client.get_network()
        payload = build.make_transfer_many(network.params, network.hrp, payments)
        return await self._client.sign_payload(payload)


def _open(path: Path) -> sqlite3.Connection:
    """Open or make the file, and lock it for this process; sqlite3.Error if another one has it, or it is damaged."""
    database = sqlite3.connect(path, timeout=0, isolation_level=None)
    try:
        database.execute("PRAGMA locking_mode = EXCLUSIVE")
        database.execute("PRAGMA synchronous = FULL")
        database.executescript(_SCHEMA)
        database.execute("BEGIN IMMEDIATE")
        database.execute("COMMIT")
    except sqlite3.Error:
        database.close()
        raise
    return database
