"""Workers together: products are exact whoever lies, stalls or dies, and nobody is served who should not be."""

import asyncio
from typing import Any

import aiohttp
import numpy as np
import pytest

from inos.primitives.units import U256_MAX, Target
from inos.workers.errors import WorkerError
from inos.workers.limits import MAX_PER_HOST, MAX_ROWS_ROOM, MAX_WAITING, MAX_WAITING_PER_HOST
from inos.workers.messages import (
    Ack,
    Cancelled,
    GetRun,
    NewTemplate,
    Piece,
    Refused,
    Result,
    Rows,
    RunData,
    Welcome,
    decode_from_node,
    encode_message,
)
from inos.workers.server import service as service_module
from support.work_lab import ME, STRANGER, TOKEN, WorkLab, make_hello, make_matrices, multiply, open_lab


async def test_two_workers_multiply_a_product_exactly(lab: WorkLab) -> None:
    x, w = make_matrices(rows=1200, cols=500, depth=2000)
    async with lab.work(name="a"), lab.work(name="b"):
        await lab.until(lambda: len(lab.service.get_status().workers) == 2)
        split = lab.offer(x, w)
        await lab.until(lambda: split.product.is_complete)
        assert np.array_equal(split.product.result(), multiply(x, w))
        await lab.until(lambda: sum(worker.pieces for worker in lab.service.get_status().workers))
        status = lab.service.get_status()
    assert {worker.name for worker in status.workers} == {"a", "b"}
    assert lab.stats.job_tickets >= 75 * 32 * 2
    assert status.errors == {}


async def test_workers_get_different_pieces_by_their_speed(lab: WorkLab) -> None:
    async with lab.join(speed=90) as fast, lab.join(speed=30) as slow:
        await fast.start()
        await slow.start()
        lab.offer(*make_matrices(rows=1600))  # 100 strips of 6 tickets, a second for 15 or 5 of them
        pieces = [(await worker.hear_piece()).work for worker in (fast, slow)]
    (one, other) = (piece for piece in pieces if isinstance(piece, Piece))
    assert one.last - one.first == 15
    assert other.last - other.first == 5
    assert {one.first, other.first} in ({0, 15}, {0, 5})


async def test_fillers_are_drawn_and_a_win_becomes_a_block(lab: WorkLab) -> None:
    async with lab.work():
        await lab.until(lambda: any(worker.tickets > 1000 for worker in lab.service.get_status().workers))
        assert lab.node.won == []
        lab.node.target = Target(U256_MAX // 50)
        lab.node.make_block()
        await lab.until(lambda: len(lab.node.won) >= 3)
    (block, *_) = lab.node.won
    assert block.header.beneficiary == ME
    assert block.header.nonce >> 32 >= 2**31
    assert lab.service.get_status().blocks_won >= 3


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"version": 2}, "other-version"),
        ({"token": b"\x08" * 32}, "wrong-token"),
        ({"address": STRANGER}, "bad-hello"),
        ({"token": None}, "bad-hello"),
        ({"token": None, "address": STRANGER}, "no-pool"),
    ],
)
async def test_a_worker_is_refused_with_the_reason(lab: WorkLab, changes: dict[str, Any], code: str) -> None:
    async with lab.join(**changes) as worker:
        assert (await worker.hear(Refused)).code == code
        with pytest.raises(ConnectionError):
            await worker.hear(Welcome)
    assert lab.service.get_status().workers == ()


async def test_the_client_ends_when_connecting_again_is_useless(lab: WorkLab) -> None:
    from inos.workers.client import Worker, WorkerOptions

    with pytest.raises(WorkerError) as error:
        await Worker(WorkerOptions(url=lab.url, token=bytes(32))).run()
    assert error.value.code == "wrong-token"


async def test_strangers_are_bounded_by_host_and_the_fleet_is_not(
    pool_lab: WorkLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MAX_PER_HOST < 1024
    monkeypatch.setattr(service_module, "MAX_PER_HOST", 1)
    async with pool_lab.join(token=None, address=STRANGER) as first:
        await first.start()
        async with pool_lab.join(token=None, address=STRANGER) as second, pool_lab.join(token=TOKEN) as own:
            assert (await second.hear(Refused)).code == "busy"
            await own.start()


async def test_a_silent_connection_is_ended(lab: WorkLab, monkeypatch: pytest.MonkeyPatch) -> None:
    from inos.workers.server import connection

    monkeypatch.setattr(connection, "HELLO_S", 0.05)
    async with aiohttp.ClientSession() as session, session.ws_connect(lab.url) as ws:
        refused = decode_from_node((await ws.receive(10)).data, limit=2048)
        assert isinstance(refused, Refused)
        assert refused.code == "silent"


async def test_a_new_tip_replaces_the_template_and_the_old_ones_shares_count_for_some_seconds(
    lab: WorkLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with lab.join(speed=1) as worker:
        start = await worker.start()
        shares = start.draw(2)
        lab.node.make_block()
        newer = await worker.hear(NewTemplate)
        assert newer.number > start.template.number
        assert newer.header.parent != start.template.header.parent
        place = start.assignment.number, start.template.number
        await worker.send(Result(*place, 1, (shares[0],), False))
        assert (await worker.hear(Ack)).counted == 1
        monkeypatch.setattr("inos.workers.server.templates.GRACE_S", 0.0)
        await worker.send(Result(*place, 1, (shares[1],), False))
        ack = await worker.hear(Ack)
        assert (ack.counted, ack.totals.shares) == (0, 1)


async def test_a_worker_that_takes_a_piece_and_returns_nothing_delays_a_product_by_one_piece(lab: WorkLab) -> None:
    x, w = make_matrices()
    async with lab.join(identity=b"\x04" * 16, speed=10**6) as greedy:
        await greedy.start()
        split = lab.offer(x, w)
        piece = await greedy.hear_piece()
        assert isinstance(piece.work, Piece)
        began = lab.node.clock.monotonic()
        async with lab.work():
            await lab.until(lambda: split.product.is_complete)
        assert lab.node.clock.monotonic() - began < 5
        assert np.array_equal(split.product.result(), multiply(x, w))
        from inos.workers.messages import Cancelled

        assert (await greedy.hear(Cancelled)).assignment == piece.number


async def test_a_worker_that_asks_for_everything_and_returns_nothing_costs_little(
    lab: WorkLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It fetches each run a bounded number of times, holds one piece, and is ended; another worker does the product."""
    monkeypatch.setattr("inos.workers.server.session.SILENT_S", 0.5)
    x, w = make_matrices()
    async with lab.join(identity=b"\x04" * 16, speed=10**6) as greedy:
        await greedy.start()
        split = lab.offer(x, w)
        await greedy.hear_piece()
        for operand in (split.x, split.w):
            for _ in range(2 + 8):
                await greedy.send(GetRun(operand.ref.id, 0))
                await greedy.hear(RunData)
        with pytest.raises(TimeoutError):
            await greedy.hear_piece(0.2)
        assert split.take(0, 10**6, 1.0, 1.0) is None
        async with lab.work():
            await lab.until(lambda: split.product.is_complete)
        assert (await greedy.hear(Refused)).code == "silent"
    assert np.array_equal(split.product.result(), multiply(x, w))
    await lab.until(lambda: not lab.service._sessions)
    assert lab.service._shared.rows_room == MAX_ROWS_ROOM


async def test_a_worker_that_dies_gives_its_piece_back_at_once(lab: WorkLab) -> None:
    x, w = make_matrices()
    async with lab.join(identity=b"\x04" * 16, speed=10) as dying:
        await dying.start()
        split = lab.offer(x, w)
        await dying.hear_piece()
    async with lab.work():
        await lab.until(lambda: split.product.is_complete)
    assert np.array_equal(split.product.result(), multiply(x, w))


async def test_a_liar_is_found_and_banned_and_the_product_is_exact(lab: WorkLab) -> None:
    x, w = make_matrices()
    y = multiply(x, w)
    async with lab.join(identity=b"\x04" * 16, speed=10**5) as liar:
        start = await liar.start()
        split = lab.offer(x, w)
        piece = await liar.hear_piece()
        assert isinstance(piece.work, Piece)
        rows = y[16 * piece.work.first : 16 * piece.work.last].copy()
        rows[3, 5] += 1
        await liar.send(Rows(piece.number, 0, rows.tobytes()))
        await liar.send(Result(piece.number, start.template.number, 1, (), True))
        assert (await liar.hear(Refused)).code == "wrong-rows"
    assert lab.service.get_status().errors == {"wrong-rows": 1}
    async with lab.join(identity=b"\x04" * 16) as again:
        refused = await again.hear(Refused)
        assert refused.code == "banned"
        assert 3500 < refused.retry_s <= 3601
    async with lab.work():
        await lab.until(lambda: split.product.is_complete)
    assert np.array_equal(split.product.result(), y)


async def test_workers_are_idle_while_the_miner_is_stopped(lab: WorkLab) -> None:
    from inos.workers.messages import Cancelled

    x, w = make_matrices()
    async with lab.join(speed=10) as worker:
        start = await worker.start()
        split = lab.offer(x, w)
        piece = await worker.hear_piece()
        lab.service.set_active(False)
        cancelled = {(await worker.hear(Cancelled)).assignment for _ in range(2)}
        assert cancelled == {start.assignment.number, piece.number}
        lab.service.set_active(True)
        assert (await worker.hear_filler()).number > piece.number
    assert split.take(0, 1, 1.0, 1.0) == (0, 1)


async def test_a_service_without_fillers_gives_pieces_alone() -> None:
    async with open_lab(has_fillers=False) as lab, lab.join() as worker:
        await worker.hear(NewTemplate)
        lab.offer(*make_matrices())
        piece = await worker.hear_piece()
        assert piece.number == 1


async def test_a_node_that_stops_closes_all_connections() -> None:
    async with open_lab() as lab, lab.join() as worker:
        await worker.start()
        tasks = [task for task in asyncio.all_tasks() if "WorkerService.run" in repr(task)]
        assert tasks
        for task in tasks:
            task.cancel()
        with pytest.raises(ConnectionError):
            await worker.hear(Ack)
    assert make_hello().token == TOKEN


async def test_a_template_that_a_newcomer_needs_reaches_all_workers(lab: WorkLab, monkeypatch: Any) -> None:
    async with lab.join() as first:
        start = await first.start()
        monkeypatch.setattr("inos.workers.server.templates.TEMPLATE_S", 0.0)
        async with lab.join(identity=b"\x04" * 16) as second:
            newer = (await second.start()).template
            monkeypatch.setattr("inos.workers.server.templates.TEMPLATE_S", 100.0)
            assert newer.number > start.template.number
            assert (await first.hear(NewTemplate)).number == newer.number


async def test_a_strangers_word_is_not_this_nodes_speed(pool_lab: WorkLab) -> None:
    async with pool_lab.join(token=None, address=STRANGER, speed=2**40) as stranger:
        await stranger.start()
        assert pool_lab.service.speed == 0
        async with pool_lab.join(speed=1000) as own:
            await own.start()
            assert pool_lab.service.speed == 1000


async def test_speed_is_that_of_pieces_and_not_of_fillers(pool_lab: WorkLab) -> None:
    """The miner counts on it for what it claims, and cuts its own slices by it."""
    x, w = make_matrices()
    async with pool_lab.join(token=None, address=STRANGER, speed=1000) as stranger:
        start = await stranger.start()
        place = start.assignment.number, start.template.number
        await stranger.send(Result(*place, 480, tuple(start.draw(60)), False))
        await stranger.hear(Ack)
        async with pool_lab.join(room=0):
            pool_lab.service._sum_speeds()
            assert pool_lab.service.speed == 0
        split = pool_lab.offer(x, w)
        piece = await stranger.hear_piece()
        assert isinstance(piece.work, Piece)
        rows = multiply(x[16 * piece.work.first : 16 * piece.work.last], w)
        await stranger.send(Rows(piece.number, 0, rows.tobytes()))
        await stranger.send(Result(piece.number, start.template.number, 1, (), True))
        await pool_lab.until(lambda: split.product.strips_done)
        await pool_lab.until(lambda: pool_lab.service.speed > 0)


async def test_the_speed_that_a_piece_showed_is_known_at_once(lab: WorkLab) -> None:
    """The next parts are cut by the speeds of all, which are summed up once in a second besides."""
    x, w = make_matrices()
    async with lab.join(speed=10) as worker:
        start = await worker.start()
        lab.service._sum_speeds()
        split = lab.offer(x, w)
        piece = await worker.hear_piece()
        assert isinstance(piece.work, Piece)
        rows = multiply(x[16 * piece.work.first : 16 * piece.work.last], w)
        await worker.send(Rows(piece.number, 0, rows.tobytes()))
        await worker.send(Result(piece.number, start.template.number, 1, (), True))
        await worker.hear_piece()
        summed = lab.service.speed
        assert summed != 10
        assert summed == pytest.approx(sum(session.speed for session, _ in lab.service._sessions.values()))
        lab.service.offer(None)
    assert split.product.strips_done >= 1


async def test_a_filler_counts_however_many_pieces_came_after_it(lab: WorkLab) -> None:
    x, w = make_matrices()
    async with lab.join() as worker:
        start = await worker.start()
        for _ in range(12):
            lab.offer(x, w)
            piece = await worker.hear_piece()
            lab.service.offer(None)
            assert (await worker.hear(Cancelled)).assignment == piece.number
        await worker.send(Result(start.assignment.number, start.template.number, 9, tuple(start.draw(1)), False))
        assert (await worker.hear(Ack)).counted == 1


async def test_a_worker_may_ask_for_runs_of_a_piece_that_was_taken_back(lab: WorkLab) -> None:
    """It does not know yet. They come if the next piece has the same operands, and this one's runs come too."""
    x, w = make_matrices()
    async with lab.join() as worker:
        await worker.start()
        lab.offer(x, w)
        piece = await worker.hear_piece()
        assert isinstance(piece.work, Piece)
        lab.service.offer(None)
        await worker.hear(Cancelled)
        for _ in range(8):
            await worker.send(GetRun(piece.work.w.id, 0))
        lab.offer(x, w)
        again = await worker.hear_piece()
        assert isinstance(again.work, Piece)
        await worker.send(GetRun(again.work.x.id, 0))
        while (await worker.hear(RunData)).id != again.work.x.id:
            pass


async def get_status(lab: WorkLab, session: aiohttp.ClientSession) -> int:
    """Return the HTTP status of a new connection; 101 if it is opened."""
    try:
        async with session.ws_connect(lab.url):
            return 101
    except aiohttp.WSServerHandshakeError as error:
        return error.status


async def test_connections_that_say_nothing_are_bounded_by_host(lab: WorkLab, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MAX_WAITING_PER_HOST < MAX_WAITING
    monkeypatch.setattr(service_module, "MAX_WAITING_PER_HOST", 2)
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(lab.url), session.ws_connect(lab.url):
            assert await get_status(lab, session) == 503
        await lab.until(lambda: not lab.service._waiting)
        monkeypatch.setattr(service_module, "MAX_WAITING", 1)
        async with session.ws_connect(lab.url):
            assert await get_status(lab, session) == 503
        await lab.until(lambda: not lab.service._waiting)
        async with lab.join() as worker, session.ws_connect(lab.url):
            await worker.start()


async def test_a_refused_connection_keeps_its_place_until_it_is_closed(
    lab: WorkLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_module, "MAX_WAITING_PER_HOST", 1)
    async with aiohttp.ClientSession() as session, session.ws_connect(lab.url, autoclose=False) as ws:
        await ws.send_bytes(encode_message(make_hello(version=2)))
        assert isinstance(decode_from_node((await ws.receive(10)).data, limit=2048), Refused)
        assert await get_status(lab, session) == 503
        await ws.close()
        await lab.until(lambda: not lab.service._waiting)
        assert await get_status(lab, session) == 101
