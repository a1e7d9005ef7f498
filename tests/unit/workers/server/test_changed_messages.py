"""Every field of every message of a worker, changed alone: the node refuses it by name, or nobody is harmed by it."""

import asyncio
import os
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from numpy.typing import NDArray

from inos.miner.split import OWN, SplitProduct
from inos.work import Operand
from inos.workers.limits import MAX_ROWS_ROOM, OFFENCES
from inos.workers.messages import (
    WORKER_KINDS,
    Ack,
    Assignment,
    Declined,
    GetRun,
    Hello,
    Measured,
    Message,
    Piece,
    Result,
    Rows,
    RunData,
    Share,
    Welcome,
    WorkerKind,
    encode_message,
)
from support.message_fields import change_message, list_names
from support.work_lab import STRANGER, RawWorker, RefusedError, Start, WorkLab, draw_shares, make_hello, multiply

PIECE: Final = "Result of a piece"
USUAL: Final = ["welcome", "filler counts 1", "run", "piece counts 1", "rows kept", "given back"]
"""What an honest worker of the fleet reaches, step by step."""
OF_A_SHARE: Final = {
    "shares.nonce": "wrong-digest",
    "shares.i": "wrong-digest",
    "shares.j": "wrong-digest",
    "shares.p": "share-outside",
    "shares.digest": "wrong-digest",
    "shares longer": "duplicate-share",
}
EXPECTED: Final[dict[str, dict[str, str]]] = {
    "Hello": {
        "version": "other-version",
        "identity": "",
        "address": "bad-hello",
        "token": "wrong-token",
        "token none": "bad-hello",
        "name": "",
        "kind": "",
        "backend": "",
        "threads": "",
        "speed": "",
        "down": "",
        "up": "",
        "room": "",
    },
    "Measured": {"speed": "", "down": "", "up": ""},
    "Result": {
        "assignment": "unknown-assignment",
        "template": "unknown-template",
        "drawn": "",
        "shares": "filler counts 0",
        **OF_A_SHARE,
        "is_last": "",
    },
    PIECE: {
        "assignment": "unknown-assignment",
        "template": "unknown-template",
        "drawn": "",
        "shares": "piece counts 0",
        **OF_A_SHARE,
        "is_last": "rows not kept",
    },
    "Rows": {
        "assignment": "unknown-assignment",
        "offset": "rows-out-of-order",
        "data": "wrong-rows",
        "data shorter": "rows-missing",
        "data longer": "rows-out-of-order",
    },
    "GetRun": {"id": "no run", "index": "unknown-run"},
    "Declined": {"assignment": "not given back", "reason": ""},
}
"""By message and field: the code with which the node ends the connection; or how a step ends, the others as usual; ""
if nothing is different. What cannot be decoded is "bad-message"."""
ENDS: Final = {*OFFENCES, "other-version", "bad-hello", "wrong-token"}
NO_MESSAGE: Final = {"bad-message", "not-a-message", "too-large"}
"""How a message ends that is taken for one of another kind by its tag."""
OPTIONAL: Final = {"address", "token"}
X, W = (np.random.default_rng(4).integers(-64, 64, (rows, 1024), np.int8) for rows in (160, 96))
Y = multiply(X, W)
identities: Final[Iterator[int]] = count(1)
Change = Callable[[str, Message], bytes]
"""Returns what is sent in a step in place of a message."""


def test_every_field_of_every_kind_has_a_case() -> None:
    assert set(EXPECTED) == {kind.__name__ for kind in WORKER_KINDS} | {PIECE}
    for kind in WORKER_KINDS:
        for step in {kind.__name__, PIECE if kind is Result else kind.__name__}:
            assert {name.partition(" ")[0] for name in EXPECTED[step]} == list_names(kind) - {"tag"}, step


class Play:
    """An honest worker's life, of which one message is changed.

    Args:
        change: returns the bytes of each message.
    """

    def __init__(self, lab: WorkLab, worker: RawWorker, change: Change) -> None:
        self.lab = lab
        self.worker = worker
        self.reached = list[str]()
        self._change = change

    async def send(self, step: str, message: Message) -> None:
        await self.worker.ws.send_bytes(self._change(step, message))

    async def sync(self, start: Start, acks: int = 1) -> list[Ack]:
        """Return the next acknowledgements; the last one is of an empty Result, which says that all before is done."""
        await self.worker.send(Result(start.assignment.number, start.template.number, 0, (), False))
        return [await self.worker.hear(Ack) for _ in range(acks)]

    async def begin(self, hello: Hello) -> Start:
        await self.send("Hello", hello)
        start = await self.worker.start()
        self.reached.append("welcome")
        return start

    async def draw_filler(self, start: Start) -> None:
        number, template = start.assignment.number, start.template.number
        share = draw_apart(start, start.assignment, start.x, start.w, (0, start.x.strips))
        await self.send("Result", Result(number, template, 9, (share,), False))
        self.reached.append(f"filler counts {(await self.sync(start, 2))[0].counted}")

    async def multiply(self, start: Start, split: SplitProduct) -> None:
        piece = await self.worker.hear_piece()
        work = piece.work
        assert isinstance(work, Piece)
        await self.send("GetRun", GetRun(work.w.id, 0))
        await self.sync(start)
        has_run = any(isinstance(message, RunData) for message in self.worker.heard)
        self.reached.append("run" if has_run else "no run")
        rows = Y[16 * work.first : 16 * work.last]
        await self.send("Rows", Rows(piece.number, 0, rows.tobytes()))
        share = draw_apart(start, piece, split.x, split.w, (work.first, work.last))
        await self.send(PIECE, Result(piece.number, start.template.number, 9, (share,), True))
        acks = await self.sync(start, 2)
        self.reached.append(f"piece counts {acks[0].counted}")
        is_kept = split.product.strips_done == work.last
        self.reached.append("rows kept" if is_kept else "rows not kept")
        if is_kept:
            piece = await self.worker.hear_piece()
        await self.send("Declined", Declined(piece.number, "no room"))
        await self.sync(start)
        (status,) = self.lab.service.get_status().workers
        self.reached.append("not given back" if status.has_piece else "given back")


def draw_apart(start: Start, assignment: Assignment, x: Operand, w: Operand, strips: tuple[int, int]) -> Share:
    """Return a share whose neighbours are of the product too, and whose changed digest is below the target."""
    target = int.from_bytes(assignment.share_target, "big")
    return next(
        share
        for counter in count(1)
        for share in draw_shares(x, w, start.template, start.get_nonce(counter), target, strips)
        if share.i < strips[1] - 1 and share.j < w.strips - 1 and share.digest[0] <= 1
    )


async def play(lab: WorkLab, change: Change, **hello: Any) -> list[str]:
    """Return what a worker reaches, with the code at the end if it is refused; the product is exact all the same."""
    tasks, errors = len(asyncio.all_tasks()), lab.service.get_status().errors
    split = None
    async with lab.connect() as worker:
        played = Play(lab, worker, change)
        try:
            identity = next(identities).to_bytes(16, "big")
            start = await played.begin(make_hello(speed=20, identity=identity, kind=WorkerKind.PAGE, **hello))
            await played.draw_filler(start)
            if "address" not in hello:
                await played.send("Measured", Measured(20, 2**40 - 1, 2**40 - 1))
                await played.sync(start)
                split = lab.offer(X, W)
                await played.multiply(start, split)
        except RefusedError as refused:
            played.reached.append(refused.code)
            with pytest.raises(ConnectionError):
                await worker.hear(Welcome)
            errors |= {refused.code: errors.get(refused.code, 0) + 1} if refused.code in OFFENCES else {}
    await lab.until(lambda: len(asyncio.all_tasks()) <= tasks)
    if played.reached[0] != "bad-message":  # A bad hello is no worker's offence.
        assert lab.service.get_status().errors == errors
    await check_nothing_is_left(lab, split)
    return played.reached


async def check_nothing_is_left(lab: WorkLab, split: SplitProduct | None) -> None:
    """Finish the product on the own engine, which gets all strips that the worker had."""
    assert lab.service.get_status().workers == ()
    assert lab.service._shared.rows_room == MAX_ROWS_ROOM
    assert not lab.service._waiting
    assert lab.node.won == []
    while split is not None and not split.product.is_complete:
        found = split.take(OWN, 10**9, 0.0, 0.0)
        assert found is not None, "strips are lost"
        assert await split.finish(OWN, *found, Y[16 * found[0] : 16 * found[1]])
    if split is not None:
        assert_exact(split.product.result())
    lab.service.offer(None)


def assert_exact(product: NDArray[np.int32]) -> None:
    assert np.array_equal(product, Y)


def keep(step: str, message: Message) -> bytes:
    return encode_message(message)


def check_reached(
    step: str, changed: tuple[str, str], reached: list[str], usual: list[str], *, is_message: bool
) -> None:
    """Compare what was reached with the case of the changed field."""
    name, change = changed
    said = f"{step}.{name} {change}: {reached}"
    expected = EXPECTED[step].get(f"{name} {change}", EXPECTED[step].get(name))
    if not is_message:
        codes = NO_MESSAGE if name == "tag" else {"bad-message"}
    else:
        assert change != "none" or name in OPTIONAL, said
        assert expected is not None, f"no case for {said}"
        codes = {expected} & ENDS
    if codes:
        assert reached[-1] in codes, said
        assert reached[:-1] == usual[: len(reached) - 1], said
    else:
        differing = [own for own, others in zip(reached, usual, strict=True) if own != others]
        assert differing == ([expected] if expected else []), said


async def check_changes(lab: WorkLab, step: str, usual: list[str], **hello: Any) -> set[str]:
    """Play with each change of the message of a step, and return the names of the fields that were changed."""
    assert await play(lab, keep, **hello) == usual
    messages = list[Message]()

    def note(at: str, message: Message) -> bytes:
        messages.extend([message] if at == step else [])
        return encode_message(message)

    await play(lab, note, **hello)
    (example,) = messages
    names = set[str]()
    for at, (name, change, _, decoded) in enumerate(change_message(example)):

        def replace(now: str, message: Message, at: int = at) -> bytes:
            return list(change_message(message))[at][2] if now == step else encode_message(message)

        reached = await play(lab, replace, **hello)
        check_reached(step, (name, change), reached, usual, is_message=decoded is not None)
        names |= {name} - {"", "tag"}
    return names


@pytest.mark.parametrize("step", EXPECTED)
async def test_a_changed_field_is_refused_or_harmless(lab: WorkLab, step: str) -> None:
    files = count_files()
    names = await check_changes(lab, step, USUAL)
    assert names == {name.partition(" ")[0] for name in EXPECTED[step]}
    async with lab.work():
        split = lab.offer(X, W)
        await lab.until(lambda: split.product.is_complete)
    assert_exact(split.product.result())
    await lab.until(lambda: count_files() <= files)


async def test_a_changed_hello_of_a_stranger_is_refused_or_pays_who_it_names(
    pool_lab: WorkLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(EXPECTED, "Hello", EXPECTED["Hello"] | {"address": "", "address none": "bad-hello"})
    await check_changes(pool_lab, "Hello", USUAL[:2], token=None, address=STRANGER)
    assert {info.address for info, _ in pool_lab.pool.shares} > {STRANGER}
    assert len(pool_lab.pool.removed) == len({info.connection for info in pool_lab.pool.removed})


def count_files() -> int:
    """Return how many files and sockets this process has open; 0 where the system does not tell."""
    return len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0
