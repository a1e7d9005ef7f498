"""A bot that has matrices multiplied: it posts every pair of files in a folder as a job and writes the product.

    python examples/job_bot.py --rpc http://127.0.0.1:8645 --phrase-file phrase.txt --most 5 inbox/

NAME.x.npy and NAME.w.npy become NAME.y.npy, which is verified. If the node quotes more than `--most` credits for a job,
the bot skips it and says so. If no worker delivers a job, the bot cancels it and tries again.
"""

import argparse
import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import inos
from inos.primitives.units import format_credits, parse_credits
from inos.wallet.keys import derive_key

LOOK_S = 2.0
WAIT_S = 300.0


def find_pairs(inbox: Path) -> Iterator[tuple[Path, Path, Path]]:
    """Return the paths of X, W and Y for all pairs that have no product yet."""
    for x in sorted(inbox.glob("*.x.npy")):
        name = x.name.removesuffix(".x.npy")
        w, y = inbox / f"{name}.w.npy", inbox / f"{name}.y.npy"
        if w.exists() and not y.exists():
            yield x, w, y


async def do_pair(client: inos.Client, x: Path, w: Path, y: Path, most: int) -> str:
    """Quote, post, wait and write; return a line that says what happened."""
    left, right = np.load(x, mmap_mode="r"), np.load(w, mmap_mode="r")
    shape = {"m": left.shape[0], "n": right.shape[0], "k": left.shape[1]}
    quote = await client.call("job_quote", shape)
    cost = int(quote["suggested_reward"]) + int(quote["burn"])
    if cost > most:
        return f"{y.name}: costs {format_credits(cost)} credits, left alone"
    job = await client.post_job(left, right, reward_nano=int(quote["suggested_reward"]))
    try:
        await client.wait_job(job, WAIT_S)
    except inos.JobFailed as error:
        if error.code in ("job-expired", "job-timeout"):
            await client.cancel_job(job)
        return f"{y.name}: {error.message}"
    await client.save_result(job, y)
    return f"{y.name}: {left.shape[0]} x {right.shape[0]} for {format_credits(cost)} credits"


async def run(client: inos.Client, inbox: Path, most: int, *, once: bool = False) -> None:
    """Process the folder once, or again and again until stopped."""
    while True:
        for x, w, y in await asyncio.to_thread(lambda: list(find_pairs(inbox))):
            try:
                print(await do_pair(client, x, w, y, most), flush=True)
            except (inos.InosError, OSError, ValueError) as error:
                print(f"{y.name}: {error}", flush=True)
        if once:
            return
        await asyncio.sleep(LOOK_S)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("inbox", type=Path)
    parser.add_argument("--rpc", default="http://127.0.0.1:8645")
    parser.add_argument("--phrase-file", type=Path, required=True)
    parser.add_argument("--most", default="10", metavar="CREDITS")
    parser.add_argument("--once", action="store_true")
    args = parser.parse_args()
    key = derive_key(args.phrase_file.read_text().strip())  # before anything runs
    async with inos.Client(args.rpc, wallet=key) as client:
        await client.head()  # a node that does not answer is known before any file is looked at
        await run(client, args.inbox, parse_credits(args.most), once=args.once)


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except inos.InosError as error:
        sys.exit(f"error: {error}")
