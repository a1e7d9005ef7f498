"""Watches for a worker whether its pool pays what its shares earned, and says what was found."""

import asyncio
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from inos.cli.common.output import print_text, print_warning
from inos.client.client import Client
from inos.primitives.errors import InosError
from inos.primitives.units import Address, format_credits
from inos.workers.client.client import make_url
from inos.workers.client.pool_check import PoolChecker, PoolVerdict

FIRST_S: Final = 30.0
CHECK_S: Final = 600.0
SCHEMES: Final = {"ws": "http", "wss": "https"}


def make_rpc_url(given: str) -> str:
    """Return the RPC address of the node that a worker joins.

    Raises:
        WorkerError: "bad-url".
    """
    parts = urlsplit(make_url(given))
    return urlunsplit((SCHEMES[parts.scheme], parts.netloc, "", "", ""))


async def watch_pool(url: str, address: Address, text: str, get_shares: Callable[[], int]) -> None:
    """Check the pool again and again, until cancelled; a finding is printed when it changes, and a warning each time.

    Args:
        url: the RPC address of the pool's node.
        text: the address as the pool's network spells it.
        get_shares: returns how many shares of the address the pool has acknowledged.
    """
    last = ""
    async with Client(url) as client:
        checker, pause_s = PoolChecker(client, address, text), FIRST_S
        while True:
            await asyncio.sleep(pause_s)
            pause_s = CHECK_S
            try:
                verdict = await checker.check(get_shares())
            except InosError as error:
                found, is_bad = f"what the pool pays is not checked: {error.message}", False
            else:
                found, is_bad = describe(verdict), not verdict.is_honest
            if is_bad:
                print_warning(found)
            elif found and found != last:
                print_text(found)
            last = found


def describe(verdict: PoolVerdict) -> str:
    """Return a sentence on what was found, or nothing before the first income."""
    told, computed = format_credits(verdict.told), format_credits(verdict.computed)
    problems = []
    if verdict.is_underpaid:
        problems.append(f"says {told} credits, but its own windows give this address {computed}")
    if verdict.wrong:
        listed = ", ".join(map(str, verdict.wrong[:5])) + (", ..." if len(verdict.wrong) > 5 else "")
        problems.append(f"divides {len(verdict.wrong)} incomes otherwise than it says ({listed})")
    if verdict.is_lost:
        problems.append("knows fewer shares of this address than it acknowledged")
    if problems:
        return f"the pool pays less than the shares earned: it {', and '.join(problems)}. Join another pool."
    if not verdict.incomes:
        return ""
    return f"checked: {verdict.incomes} incomes of the pool give this address {computed} credits, as it says"
