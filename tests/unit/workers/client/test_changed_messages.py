"""Every field of every message of a node, changed alone: a worker works by it, declines, or leaves with a code."""

import asyncio
import os
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

from inos.primitives.blocks import compute_anchor
from inos.primitives.matrices import MatrixRef
from inos.primitives.units import U256_MAX
from inos.work import Operand, is_ticket
from inos.workers.client.link import Link, RefusedError
from inos.workers.errors import WorkerError
from inos.workers.filler import make_operands
from inos.workers.messages import (
    LEAST_PREFIX,
    NODE_KINDS,
    VERSION,
    Ack,
    Assignment,
    Cancelled,
    Declined,
    Filler,
    GetRun,
    Local,
    Message,
    NewTemplate,
    Piece,
    Refused,
    Result,
    Rows,
    RunData,
    Totals,
    Welcome,
    WorkHeader,
    make_header,
)
from inos.workers.server.runs import read_run
from support.message_fields import change_message, list_names
from support.node_side import NodeSide, linked
from support.work_lab import multiply

FILLER: Final = "Assignment of a filler"
PIECE: Final = "Assignment of a piece"
USUAL: Final = ["shares", "piece", "cancelled", "refused", "totals"]
"""What a worker does at a node that keeps to the protocol, step by step."""
HEADER: Final = {name: "other shares" for name in WorkHeader.__struct_fields__}
REF: Final = dict.fromkeys(MatrixRef.__struct_fields__, "declined")
"""The id is the hash of the others."""
EXPECTED: Final[dict[str, dict[str, str]]] = {
    "Welcome": {
        "version": "other-version",
        "network": "",
        "hrp": "",
        "genesis": "",
        "beneficiary": "other-beneficiary",
        "prefix": "other prefix",
        "largest_piece": "",
        "local": "",
        "local.path": "",
        "local.key": "",
    },
    "NewTemplate": {
        "number": "other template",
        "header": "",
        **{f"header.{name}": end for name, end in (HEADER | {"beneficiary": "other-beneficiary"}).items()},
        "win_target": "",
    },
    FILLER: {
        "number": "other assignment",
        "share_target": "",
        "work": "",
        **{f"work.{name}": "other shares" for name in ("seed", "rows_x", "rows_w", "depth")},
    },
    PIECE: {
        "number": "other assignment",
        "share_target": "",
        "work": "",
        "work.x": "",
        **{f"work.x.{name}": end for name, end in REF.items()},
        "work.w": "",
        **{f"work.w.{name}": end for name, end in REF.items()},
        "work.first": "other rows",
        "work.last": "other rows",
        "work.wants_rows": "no rows",
    },
    "Ack": {
        "assignment": "",
        "counted": "",
        "totals": "",
        **{f"totals.{name}": "other totals" for name in Totals.__struct_fields__},
    },
    "RunData": {"id": "", "index": "", "data": "declined", "path": "declined"},
    "Cancelled": {"assignment": "not cancelled"},
    "Refused": {"code": "refused otherwise", "message": "refused otherwise", "retry_s": "refused otherwise"},
}
"""By message and field: the code with which the worker leaves; or how a step ends, the others as usual; "" if nothing
is different. From what cannot be decoded it leaves with "bad-message"."""
ENDS: Final = {"other-version", "other-beneficiary", "bad-message"}
OPTIONAL: Final = {"local"}
POOL: Final = b"\x01" * 20
BEGIN: Final = Welcome(
    VERSION, "devnet", "dinos", bytes(32), POOL, LEAST_PREFIX + 3, 2**40, Local("nowhere", b"\x07" * 16)
)
TEMPLATE: Final = NewTemplate(
    1, WorkHeader(3, 7, 9, b"\x02" * 32, 1_700_000_000_000, bytes(32), bytes(32), b"\xff" * 32, POOL), bytes(32)
)
TARGET: Final = (U256_MAX // 64).to_bytes(32, "big")
SURE: Final = b"\xff" * 32
"""Each ticket of the piece is a share, so that some are told under any template."""
TOTALS: Final = Totals(1, 2, 3, 4)
BUSY: Final = Refused("busy", "later", 9)
X, W, LATER = (
    Operand.commit(np.random.default_rng(seed).integers(-64, 64, (rows, 1024), np.int8))
    for seed, rows in ((1, 1100), (2, 96), (3, 64))
)
"""X has two runs, so that a run has a path."""
ROWS: Final = multiply(X.array[16:48], W.array).tobytes()


def test_every_field_of_every_kind_has_a_case() -> None:
    assert set(EXPECTED) == {kind.__name__ for kind in NODE_KINDS} - {"Assignment"} | {FILLER, PIECE}
    for kind in NODE_KINDS:
        steps = [step for step in EXPECTED if step.startswith(kind.__name__)]
        assert {name for step in steps for name in EXPECTED[step]} == list_names(kind) - {"tag", "work.tag"}, kind


class Play:
    """A node that keeps to the protocol, but for one message that is changed.

    Args:
        step: the name of that message.
        at: which of its changes is sent.
    """

    def __init__(self, step: str, at: int | None) -> None:
        self.reached = list[str]()
        self.totals = list[Totals]()
        self.changed: tuple[str, str, bytes, Message | None] | None = None
        self.changes = 0
        self._step = step
        self._at = at

    async def send(self, node: NodeSide, step: str, message: Any) -> Any:
        """Send a message, or what it is changed to, and return what the worker decodes."""
        if step != self._step or self.changes:
            await node.send(message)
            return message
        changes = list(change_message(message))
        self.changes = len(changes)
        if self._at is None:
            await node.send(message)
            return message
        self.changed = changes[self._at]
        await node.ws.send_bytes(self.changed[2])
        return self.changed[3]

    async def act(self, node: NodeSide) -> None:
        await self.send(node, "Welcome", BEGIN)
        await self.send(node, "NewTemplate", TEMPLATE)
        filler = await self.send(node, FILLER, Assignment(10, TARGET, Filler(b"\x05" * 32, 64, 64, 64)))
        while not (result := await node.listen(Result)).shares:
            pass
        self.reached.append(judge(result, 10, *make_operands(Filler(b"\x05" * 32, 64, 64, 64))))
        await self.send(node, "Ack", Ack(10, len(result.shares), TOTALS))
        sent = await self.send(node, PIECE, Assignment(20, SURE, Piece(X.ref, W.ref, 1, 3, True)))
        if sent is None:
            return
        self.reached.append(await self._give(node, sent.work, filler.number))
        await node.send(Assignment(30, TARGET, Piece(LATER.ref, W.ref, 0, 4, True)))
        while (asked := await node.listen(GetRun)).id != LATER.ref.id:
            await self._answer(node, asked, W)
        cancelled = await self.send(node, "Cancelled", Cancelled(30))
        await self._answer(node, asked, LATER)
        if cancelled != Cancelled(30):
            await self._hear_last(node, 30)
        await node.send(Assignment(40, TARGET, Piece(LATER.ref, W.ref, 0, 4, True)))
        done = await self._hear_last(node, 40)
        self.reached.append("cancelled" if cancelled == Cancelled(30) and done == {40} else "not cancelled")
        await self.send(node, "Refused", BUSY)
        await node.listen(Rows)

    async def _give(self, node: NodeSide, work: Piece, filler: int) -> str:
        """Bring the operands of a piece, and return what the worker makes of it."""
        rows, shares = bytearray(), list[Result]()
        while True:
            message = await node.listen(GetRun | Rows | Result | Declined)
            match message:
                case GetRun():
                    await self._answer(node, message, X if message.id == work.x.id else W)
                case Rows():
                    rows += message.data
                case Declined():
                    return "declined"
                case Result() if message.assignment != filler:
                    shares.append(message)
                    if message.is_last:
                        break
        if rows != ROWS:
            return "other rows" if rows else "no rows"
        (found,) = {judge(result, 20, X, W) for result in shares if result.shares}
        return "piece" if found == "shares" else found

    async def _answer(self, node: NodeSide, asked: GetRun, operand: Operand) -> None:
        run = RunData(asked.id, asked.index, *read_run(operand, asked.index))
        sent = await self.send(node, "RunData", run)
        if sent is not None and (sent.id, sent.index) != (run.id, run.index):
            await node.send(run)

    async def _hear_last(self, node: NodeSide, number: int) -> set[int]:
        """Return the pieces that were done until this one is."""
        done = set[int]()
        while number not in done:
            message = await node.listen(GetRun | Result)
            if isinstance(message, GetRun):
                await self._answer(node, message, LATER if message.id == LATER.ref.id else W)
            elif message.is_last:
                done.add(message.assignment)
        return done


def judge(result: Result, assignment: int, x: Operand, w: Operand) -> str:
    """Return what is unusual about shares."""
    if result.assignment != assignment:
        return "other assignment"
    if result.template != TEMPLATE.number:
        return "other template"
    for share in result.shares:
        if share.nonce >> 32 != BEGIN.prefix:
            return "other prefix"
        anchor = compute_anchor(make_header(TEMPLATE.header, share.nonce))
        if not is_ticket(x, w, (share.i, share.j, share.p), anchor, share.digest):
            return "other shares"
    return "shares"


async def play(step: str, at: int | None) -> Play:
    """Run a link at a node that sends this change, and add to what it reached how the connection ended."""
    tasks, played = len(asyncio.all_tasks()), Play(step, at)
    async with linked(played.act, on_totals=played.totals.append) as (task, link):
        await asyncio.wait([task])
        error = task.exception()
        assert isinstance(error, WorkerError), error
        if isinstance(error, RefusedError):
            is_usual = (error.code, error.message, error.retry_s) == (BUSY.code, BUSY.message, BUSY.retry_s)
            played.reached += ["refused" if is_usual else "refused otherwise"]
            played.reached += ["totals" if played.totals == [TOTALS] else "other totals"]
        else:
            played.reached.append(error.code)
        assert is_stopped(link)
    assert len(asyncio.all_tasks()) <= tasks
    return played


def is_stopped(link: Link) -> bool:
    """Return True if the link multiplies no more, and waits for nothing."""
    return link._multiplier is None or (link._multiplier._stop.is_set() and link._multiplier._pool._shutdown)


@pytest.mark.parametrize("step", EXPECTED)
async def test_a_changed_field_is_worked_by_declined_or_refused(step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inos.workers.client.report.SHARES_S", 0.0)
    files = count_files()
    usual = await play(step, None)
    assert usual.reached == USUAL
    names = set[str]()
    for at in range(usual.changes):
        played = await play(step, at)
        assert played.changed is not None
        check(step, *played.changed[:2], played.reached, is_message=played.changed[3] is not None)
        names |= {played.changed[0]} - {"", "tag", "work.tag"}
    assert names == set(EXPECTED[step])
    assert count_files() <= files


def check(step: str, name: str, change: str, reached: list[str], *, is_message: bool) -> None:
    """Compare what was reached with the case of the changed field."""
    said = f"{step}.{name} {change}: {reached}"
    assert not is_message or change != "none" or name in OPTIONAL, said
    expected = EXPECTED[step][name] if is_message else "bad-message"
    if expected in ENDS:
        assert reached == [*USUAL[: len(reached) - 1], expected], said
    else:
        differing = {own for own, others in zip(reached, USUAL, strict=True) if own != others}
        assert differing == ({expected} if expected else set()), said


def count_files() -> int:
    """Return how many files and sockets this process has open; 0 where the system does not tell."""
    return len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0
