"""A bot that keeps a price: it has products multiplied for as little as the market takes, and never for more than told.

    python examples/price_bot.py --rpc http://127.0.0.1:8645 --phrase-file phrase.txt --least 1000 --most 9000 inbox/

Prices are credits for 10^12 multiply-accumulates. NAME.x.npy and NAME.w.npy in the folder become NAME.y.npy, which is
verified. The bot offers the price that its last job had. A job that nobody has claimed after `--patience` blocks is
cancelled and offered for a fifth more, up to `--most`; one that was claimed within a quarter of that lets the next be a
tenth cheaper, down to `--least`. Below `--reserve` credits in the account nothing is posted.

The bot keeps no file: its jobs, their prices and what became of them are on the chain, so after a kill it goes on where
it was, and posts nothing twice. Nothing else may post jobs from its account.
"""

import argparse
import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

import inos
from inos.client import models
from inos.client.operands import make_ref, to_operand
from inos.primitives.matrices import compute_tickets
from inos.primitives.units import format_credits, parse_credits
from inos.wallet.keys import derive_key

TICKET_MACS: Final = 16 * 16 * 1024
UNIT_MACS: Final = 10**12
LOOK_S: Final = 2.0
LIVE: Final = ("open", "claimed", "delivered", "disputed")


class PriceBot:
    """Offers the products of a folder at a price that follows the market.

    Args:
        least, most: nano for 10^12 multiply-accumulates.
        patience: blocks that an offer stands.
        at_once: jobs that are on the chain at one time.
        reserve: nano that stay in the account.
    """

    def __init__(
        self, client: inos.Client, inbox: Path, *, least: int, most: int, patience: int, at_once: int, reserve: int
    ) -> None:
        self._client, self._inbox = client, inbox
        self._least, self._most, self._patience = least, most, patience
        self._at_once, self._reserve = at_once, reserve
        self._ids: dict[Path, tuple[int, str]] = {}

    async def step(self) -> list[str]:
        """Look at the chain once, and fetch, cancel or post; return lines that say what was done."""
        account = await self._client.account()
        if account.pending_nonce > account.nonce:
            return []  # what was sent last is not in a block yet, so the jobs on the chain are not all
        head = await self._client.head()
        page = await self._client.jobs(poster=await self._client.get_address(), order="newest", limit=200)
        done: list[str] = []
        live = [job for job in page.jobs if job.state in LIVE]
        for job in live:
            if job.state == "open" and head.height - job.posted_at >= self._patience:
                await self._client.cancel_job(job.id)
                return [f"{job.id[:8]}: nobody took it for {format_credits(compute_price(job))}, cancelled"]
        for x, w, y in await asyncio.to_thread(lambda: list(find_pairs(self._inbox))):
            mine = find_job(page.jobs, *await asyncio.to_thread(self._read_ids, x, w))
            if mine is not None and mine.state == "settled":
                done.append(await self._save(mine, y))
            elif (mine is None or mine.state not in LIVE) and len(live) < self._at_once:
                price = self.choose_price(page.jobs, await self._read_market())
                return [*done, await self._post(x, w, price)]
        return done

    def choose_price(self, jobs: tuple[models.Job, ...], market: int) -> int:
        """Return nano for 10^12 multiply-accumulates: the last job's price, moved by what became of it.

        Args:
            jobs: one's own, newest first.
            market: what others pay, where the bot begins.
        """
        known = [job for job in jobs if job.state in (*LIVE, "settled", "cancelled")]
        if not known:
            return self._bound(market)
        last, price = known[0], compute_price(known[0])
        if last.state == "cancelled":
            return self._bound(price + price // 5)
        waited = last.claim.claimed_at - last.posted_at if last.claim is not None else None
        if last.state == "settled" and last.closed_at is not None:
            waited = last.closed_at - last.posted_at
        is_quick = waited is not None and waited <= max(1, self._patience // 4)
        return self._bound(price - price // 10 if is_quick else price)

    def _bound(self, price: int) -> int:
        return min(max(price, self._least), self._most)

    async def _read_market(self) -> int:
        """Return what one ticket brings by the node's advice, as a price."""
        quote = await self._client.quote(16, 16, 1024)
        return quote.suggested_reward * UNIT_MACS // TICKET_MACS

    async def _save(self, job: models.Job, y: Path) -> str:
        try:
            await self._client.save_result(job.id, y)
        except inos.InosError as error:  # asked for again at the next look, and the other pairs go on
            return f"{y.name}: {error}"
        return f"{y.name}: multiplied for {format_credits(compute_price(job))}"

    def _read_ids(self, *paths: Path) -> tuple[str, ...]:
        """Return the mesh ids of files of matrices; one that has not changed is hashed once."""
        found = []
        for path in paths:
            written = path.stat().st_mtime_ns
            if self._ids.get(path, (None, ""))[0] != written:
                ref = make_ref(to_operand(np.load(path, mmap_mode="r"), path.name))
                self._ids[path] = written, ref.matrix_id.hex()
            found.append(self._ids[path][1])
        return tuple(found)

    async def _post(self, x: Path, w: Path, price: int) -> str:
        left, right = np.load(x, mmap_mode="r"), np.load(w, mmap_mode="r")
        tickets = compute_tickets(len(left), len(right), left.shape[1])
        reward = max(1, price * tickets * TICKET_MACS // UNIT_MACS)
        account = await self._client.account()
        if account.balance - reward < self._reserve:
            return f"{x.name}: {format_credits(account.balance)} credits are left, and {self._reserve} nano stay"
        job = await self._client.post_job(left, right, reward_nano=reward)
        return f"{x.name}: posted {job[:8]} for {format_credits(price)}"


def compute_price(job: models.Job) -> int:
    """Return what a job pays, in nano for 10^12 multiply-accumulates."""
    return job.reward * UNIT_MACS // (job.tickets * TICKET_MACS)


def find_job(jobs: tuple[models.Job, ...], x: str, w: str) -> models.Job | None:
    """Return the newest job of two matrices by their ids."""
    return next((job for job in jobs if job.x and job.w and (job.x.id, job.w.id) == (x, w)), None)


def find_pairs(inbox: Path) -> Iterator[tuple[Path, Path, Path]]:
    """Return the paths of X, W and Y for all pairs that have no product yet."""
    for x in sorted(inbox.glob("*.x.npy")):
        name = x.name.removesuffix(".x.npy")
        w, y = inbox / f"{name}.w.npy", inbox / f"{name}.y.npy"
        if w.exists() and not y.exists():
            yield x, w, y


async def run(args: argparse.Namespace) -> None:
    """Step until cancelled; with --once until every pair has its product."""
    key = derive_key(args.phrase_file.read_text("utf-8").strip())
    least, most, reserve = (parse_credits(text) for text in (args.least, args.most, args.reserve))
    async with inos.Client(args.rpc, wallet=key) as client:
        await client.head()  # a node that does not answer is known before any file is looked at
        options: dict[str, Any] = {"patience": args.patience, "at_once": args.at_once, "reserve": reserve}
        bot = PriceBot(client, args.inbox, least=least, most=most, **options)
        while not (args.once and not list(find_pairs(args.inbox))):
            try:
                for line in await bot.step():
                    print(line, flush=True)
            except (inos.InosError, OSError, ValueError) as error:
                print(f"tried again soon: {error}", file=sys.stderr, flush=True)
            await asyncio.sleep(args.pause)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("inbox", type=Path)
    parser.add_argument("--rpc", default="http://127.0.0.1:8645")
    parser.add_argument("--phrase-file", type=Path, required=True)
    parser.add_argument("--least", default="10", metavar="CREDITS", help="the lowest price")
    parser.add_argument("--most", default="10000", metavar="CREDITS", help="the highest price")
    parser.add_argument("--patience", type=int, default=20, metavar="BLOCKS", help="how long an offer stands")
    parser.add_argument("--at-once", type=int, default=4, metavar="N", help="jobs on the chain at one time")
    parser.add_argument("--reserve", default="1", metavar="CREDITS", help="what stays in the account")
    parser.add_argument("--pause", type=float, default=LOOK_S, help="seconds between two looks at the chain")
    parser.add_argument("--once", action="store_true", help="end when every pair has its product")
    try:
        asyncio.run(run(parser.parse_args()))
    except KeyboardInterrupt:
        return 130
    except inos.InosError as error:
        sys.exit(f"error: {error}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
