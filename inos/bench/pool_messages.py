"""What one share costs a pool from its message to its answer, with a thousand workers connected."""

import random
import time
from collections.abc import Iterator
from typing import Final

import numpy as np
from msgspec.structs import replace

from inos.bench.errors import BenchError
from inos.bench.workers import StandInNode
from inos.primitives.blocks import compute_anchor
from inos.primitives.units import U256_MAX, Address, Target
from inos.work import Lottery
from inos.workers.messages import LEAST_PREFIX, VERSION, Hello, Result, Share, WorkerKind, encode_message
from inos.workers.pool.pool import Pool
from inos.workers.ports import WorkerInfo
from inos.workers.server.fillers import FillerPair
from inos.workers.server.session import Session
from inos.workers.server.shared import Shared

EASY: Final = Target(U256_MAX // 64)
"""One ticket in 64 is a share, so that many are found soon; what a share costs does not depend on it."""
SHARES: Final = 2
"""So many are sent by each worker. All together stay below what a node takes of strangers at once."""


class EasyPool(Pool):
    """A pool whose shares are easy."""

    def get_share_target(self, worker: WorkerInfo) -> Target:
        return EASY


async def measure_messages(pool: Pool, workers: int) -> float:
    """Return the seconds of processor time of a share that comes alone.

    It is decoded, its tile is computed again, and it is counted, written and acknowledged.
    """
    rng, answers = random.Random(2), list[bytes]()
    shared = Shared(StandInNode(), Address(b"\x01" * 20), pool, np.random.default_rng(2))
    pair = await shared.fillers.get(WorkerKind.MACHINE, shared.node.clock.monotonic())
    sessions = list[tuple[Session, list[bytes]]]()
    for number in range(workers):
        hello = Hello(VERSION, rng.randbytes(16), rng.randbytes(20), None, "", WorkerKind.MACHINE, "", 1, 1, 0, 0, 0)
        session = Session(shared, hello, LEAST_PREFIX + number, "127.0.0.1", answers.append)
        await session.start(b"")
        sessions.append((session, list(_draw(session, shared, pair))))
    messages = [
        (session, data) for turn in range(SHARES) for session, each in sessions for data in each[turn : turn + 1]
    ]
    answers.clear()
    began = time.process_time()
    for session, data in messages:
        await session.process(data)
    taken = time.process_time() - began
    counted = sum(session.get_status().shares for session, _ in sessions)
    if not len(answers) == counted == len(messages):
        raise BenchError("wrong-result", f"{counted} of {len(messages)} shares count, {len(answers)} are answered")
    return taken / len(messages)


def _draw(session: Session, shared: Shared, pair: FillerPair) -> Iterator[bytes]:
    """Yield Results with one share each."""
    issued, nonce, found = shared.templates.current, session.info.connection << 32, list[Share]()
    assert issued is not None, "the session has begun"
    anchor = compute_anchor(replace(issued.template.header, nonce=nonce))
    lottery = Lottery(pair.w, anchor, EASY, threads=1)

    def add(i: int, j: int, p: int, digest: bytes) -> None:
        found.append(Share(nonce, i, j, p, digest))

    lottery.draw(pair.x, 0, 4 * SHARES, add, needs_rows=False)
    for share in found[:SHARES]:
        yield encode_message(Result(1, issued.number, 64, (share,), False))
