"""What a node may send: a worker does its work, declines what it cannot do, and leaves a node that breaks the
protocol."""

import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from inos.primitives.matrices import MatrixRef
from inos.primitives.units import U256_MAX
from inos.workers.client.link import RefusedError
from inos.workers.errors import WorkerError
from inos.workers.filler import make_operands
from inos.workers.messages import (
    LEAST_PREFIX,
    VERSION,
    Assignment,
    Cancelled,
    Declined,
    Filler,
    GetRun,
    Message,
    NewTemplate,
    Piece,
    Refused,
    Result,
    Rows,
    RunData,
    Welcome,
    WorkHeader,
    decode_from_worker,
)
from inos.workers.server.runs import count_runs, read_run
from support.node_side import NodeSide, W, X, linked
from support.work_lab import draw_shares, multiply

POOL = b"\x01" * 20
HEADER = WorkHeader(3, 7, 9, b"\x02" * 32, 1_700_000_000_000, bytes(32), bytes(32), b"\xff" * 32, POOL)
WELCOME = Welcome(VERSION, "devnet", "dinos", bytes(32), POOL, LEAST_PREFIX + 3, 2**40, None)
TEMPLATE = NewTemplate(1, HEADER, bytes(32))
FILLER = Filler(b"\x05" * 32, 64, 64, 64)
EASY = (U256_MAX // 40).to_bytes(32, "big")


async def run(act: Callable[[NodeSide], Any], **options: Any) -> None:
    async with linked(act, **options) as (task, _):
        await asyncio.wait([task], timeout=60)
    await task


async def test_shares_of_a_filler_are_the_nodes_own() -> None:
    found: list[Result] = []

    async def act(node: NodeSide) -> None:
        await node.send(WELCOME, TEMPLATE, Assignment(1, EASY, FILLER))
        while sum(len(result.shares) for result in found) < 20:
            found.append(await node.hear(Result))

    await run(act)
    x, w = make_operands(FILLER)
    shares = [share for result in found for share in result.shares]
    assert len({(share.nonce, share.i, share.j, share.p) for share in shares}) == len(shares)
    for share in shares:
        assert share.nonce >> 32 == WELCOME.prefix
        again = draw_shares(x, w, TEMPLATE, share.nonce, int.from_bytes(EASY, "big"), (0, x.strips))
        assert share in again


@pytest.mark.parametrize("wants_rows", [True, False])
async def test_a_piece_is_fetched_multiplied_and_sent(wants_rows: bool) -> None:
    rows, results = bytearray(), list[Result]()

    async def act(node: NodeSide) -> None:
        await node.send(WELCOME, TEMPLATE, Assignment(1, EASY, Piece(X.ref, W.ref, 3, 9, wants_rows)))
        while not results or not results[-1].is_last:
            message = await node.hear(Rows | Result)
            if isinstance(message, Rows):
                assert message.offset == len(rows)
                rows.extend(message.data)
            else:
                results.append(message)

    await run(act)
    expected = multiply(X.array, W.array)[48:144] if wants_rows else np.zeros((0, 96), np.int32)
    assert np.array_equal(np.frombuffer(rows, np.int32).reshape(-1, 96), expected)
    assert sum(result.drawn for result in results) == 6 * 6
    for share in (share for result in results for share in result.shares):
        assert 3 <= share.i < 9
        assert share in draw_shares(X, W, TEMPLATE, share.nonce, int.from_bytes(EASY, "big"), (3, 9))


async def test_a_new_template_is_used_at_once_and_the_first_win_of_each_is_told() -> None:
    templates: list[int] = []

    async def act(node: NodeSide) -> None:
        sure = b"\xff" * 32
        await node.send(WELCOME, replace(TEMPLATE, win_target=sure), Assignment(1, bytes(32), FILLER))
        for number in (2, 3):
            while not (result := await node.hear(Result)).shares:
                pass  # what it drew after the first win, until the next template came
            assert len(result.shares) == 1
            templates.append(result.template)
            await node.send(replace(TEMPLATE, number=number, win_target=sure))

    await run(act)
    assert templates == [1, 2]


@pytest.mark.parametrize(
    ("piece", "room"),
    [
        (Piece(X.ref, W.ref, 0, 1, True), 1000),
        (Piece(X.ref, W.ref, 5, 5, True), 1 << 30),
        (Piece(X.ref, W.ref, 5, 11, True), 1 << 30),
        (Piece(replace(X.ref, cols=1023), W.ref, 0, 1, True), 1 << 30),
        (Piece(MatrixRef(X.ref.id, 0, 0, X.ref.root), W.ref, 0, 1, True), 1 << 30),
    ],
)
async def test_a_piece_that_cannot_be_done_is_declined(piece: Piece, room: int) -> None:
    declined: list[int] = []

    async def act(node: NodeSide) -> None:
        await node.send(WELCOME, TEMPLATE, Assignment(1, EASY, FILLER), Assignment(2, EASY, piece))
        declined.append((await node.hear(Declined)).assignment)
        await node.hear(Result)  # The filler goes on.

    await run(act, room=room)
    assert declined == [2]


async def test_runs_that_are_not_the_operands_are_declined() -> None:
    async def act(node: NodeSide) -> None:
        await node.send(WELCOME, TEMPLATE, Assignment(1, EASY, Piece(X.ref, W.ref, 0, 2, True)))
        while True:
            message = decode_from_worker((await node.ws.receive()).data, limit=1 << 21)
            if isinstance(message, GetRun):
                data, path = read_run(X if message.id == X.ref.id else W, message.index)
                await node.send(RunData(message.id, message.index, bytes([data[0] ^ 1]) + data[1:], path))
            if isinstance(message, Declined):
                return

    await run(act)
    assert count_runs(X) == 1


async def test_a_cancelled_piece_is_given_up_and_the_filler_goes_on() -> None:
    async def act(node: NodeSide) -> None:
        piece = Piece(X.ref, W.ref, 0, 10, True)
        await node.send(WELCOME, TEMPLATE, Assignment(1, EASY, FILLER), Assignment(2, EASY, piece), Cancelled(2))
        while (await node.hear(Result)).assignment != 1:
            pass

    await run(act)


@pytest.mark.parametrize(
    ("messages", "code"),
    [
        ((Assignment(1, EASY, FILLER),), "unexpected-message"),
        ((replace(WELCOME, version=VERSION + 1),), "other-version"),
        ((TEMPLATE,), "other-beneficiary"),
        ((WELCOME, replace(TEMPLATE, header=replace(HEADER, beneficiary=b"\x09" * 20))), "other-beneficiary"),
        ((Refused("banned", "you lied", 9),), "banned"),
    ],
)
async def test_a_worker_leaves_a_node_that_breaks_the_protocol(messages: tuple[Message, ...], code: str) -> None:
    async def act(node: NodeSide) -> None:
        await node.send(*messages)
        await node.hear(Rows)

    with pytest.raises(WorkerError) as error:
        await run(act)
    assert error.value.code == code
    assert not isinstance(error.value, RefusedError) or error.value.retry_s == 9
