"""Who may have credits, and when again.

What a faucet gives costs its owner, so each limit is there for people who want more than a share: an address gets its
part once a day, a network of addresses (IPv4 /24, IPv6 /48) a few parts a day, and all together a bounded sum a day. A
person with many networks can take that sum from the others, and no more.
"""

import ipaddress
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final

from msgspec import Struct

from inos.client.client import Client
from inos.client.payouts import Payouts, State
from inos.primitives.errors import InosError
from inos.primitives.units import Nano, TimeMs, format_credits
from inos.wallet.addresses import decode_address, encode_address

DAY_MS: Final = 86_400_000
DEPTH: Final = 20
"""A claim counts as paid this many blocks deep, on a network without finality."""
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS claims (
    number INTEGER PRIMARY KEY, address TEXT NOT NULL, network TEXT NOT NULL, at_ms INTEGER NOT NULL,
    is_handed_over INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX IF NOT EXISTS by_address ON claims (address);
CREATE INDEX IF NOT EXISTS by_time ON claims (at_ms);
"""


class FaucetError(InosError):
    """A claim is refused now: "already-given", "too-many-here", "nothing-left"."""


class Limits(Struct, frozen=True):
    """What a faucet gives.

    Args:
        nano: to each address, once a day.
        per_network: claims of one network of addresses in a day.
        per_day: all claims in a day.
    """

    nano: Nano
    per_network: int
    per_day: int


class Claim(Struct, frozen=True):
    """What was given."""

    address: str
    credits: str
    state: State
    tx: str | None


class Faucet:
    """Gives from the client's account.

    Args:
        folder: holds the claims and the payouts.
        now_ms: the time; claims are counted by it.

    Raises:
        ClientError: "payouts-unusable" if another process uses the folder.
    """

    def __init__(self, client: Client, folder: Path, limits: Limits, now_ms: Callable[[], TimeMs]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._client = client
        self._now_ms = now_ms
        self.limits: Final = limits
        self._payouts = Payouts(folder / "payouts.db", client, DEPTH)
        self._db = sqlite3.connect(folder / "claims.db", isolation_level=None)
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the files."""
        self._payouts.close()
        self._db.close()

    async def claim(self, address: str, host: str) -> Claim:
        """Give an address its part; it is paid soon, with others in one transaction.

        Args:
            host: the IP address that asks.

        Raises:
            FaucetError: a limit is reached. WalletError: this is no address of the network.
        """
        hrp, network = (await self._client.get_network()).hrp, find_network(host)
        address = encode_address(hrp, decode_address(hrp, address))
        await self._payouts.check("claim", address, self.limits.nano)
        since = self._now_ms() - DAY_MS
        if self._count("SELECT count(*) FROM claims WHERE at_ms > ? AND address = ?", since, address):
            raise FaucetError("already-given", f"{address} got its part within a day", hint="come back tomorrow")
        if self._count("SELECT count(*) FROM claims WHERE at_ms > ? AND network = ?", since, network) >= (
            self.limits.per_network
        ):
            raise FaucetError(
                "too-many-here",
                f"{self.limits.per_network} addresses from your network got theirs within a day",
                hint="come back tomorrow",
            )
        if self._count("SELECT count(*) FROM claims WHERE at_ms > ?", since) >= self.limits.per_day:
            raise FaucetError("nothing-left", "today's credits are all given", hint="come back tomorrow")
        values = (address, network, self._now_ms())
        self._db.execute("INSERT INTO claims (address, network, at_ms) VALUES (?, ?, ?)", values)
        await self._hand_over()
        return self.find(address)

    def find(self, address: str) -> Claim:
        """Return an address's last claim.

        Raises:
            FaucetError: "no-claim".
        """
        found = self._db.execute("SELECT max(number) FROM claims WHERE address = ?", (address,)).fetchone()[0]
        if found is None:
            raise FaucetError("no-claim", f"{address[:100]} has claimed nothing", hint="ask for its part first")
        key = f"claim {found}"
        state, tx = self._payouts.get_state(key), self._payouts.find_transaction(key)
        return Claim(address, format_credits(self.limits.nano), state, tx)

    async def step(self) -> None:
        """Pay what was claimed; call it every few seconds. It raises as `Payouts.step`."""
        await self._hand_over()
        await self._payouts.step()

    async def _hand_over(self) -> None:
        """Give the payouts what was claimed, also after a kill between the two."""
        waiting = self._db.execute("SELECT number, address FROM claims WHERE NOT is_handed_over").fetchall()
        for number, address in waiting:
            await self._payouts.add(f"claim {number}", address, self.limits.nano)
            self._db.execute("UPDATE claims SET is_handed_over = 1 WHERE number = ?", (number,))

    def _count(self, query: str, *values: str | int) -> int:
        return int(self._db.execute(query, values).fetchone()[0])


def find_network(host: str) -> str:
    """Return the network that an IP address is counted with; of other text, the text."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    size = 24 if address.version == 4 else 48
    return str(ipaddress.ip_network((address, size), strict=False))
