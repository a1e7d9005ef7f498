"""What a worker may send: every lie ends its connection, and costs nobody else anything."""

from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from inos.primitives.units import U256_MAX
from inos.workers.limits import ASKED_RUNS, FLEET_PLACES, MAX_FROM_WORKER_BYTES, MAX_WAITING, MAX_WORKERS, OFFENCES
from inos.workers.messages import (
    Ack,
    Assignment,
    Cancelled,
    Declined,
    Filler,
    GetRun,
    Measured,
    NewTemplate,
    Piece,
    Refused,
    Result,
    Rows,
    RunData,
    Share,
    encode_message,
)
from inos.workers.ports import WorkerInfo
from inos.workers.server import fillers as fillers_module
from inos.workers.server import session as session_module
from support.work_lab import STRANGER, RawWorker, Start, WorkLab, make_hello, make_matrices, multiply

Send = Callable[[RawWorker, Start], Awaitable[None]]


def make_result(start: Start, shares: Any, **changes: Any) -> Result:
    return replace(Result(start.assignment.number, start.template.number, 16, tuple(shares), False), **changes)


async def send_foreign_prefix(worker: RawWorker, start: Start) -> None:
    (share,) = start.draw(1)
    await worker.send(make_result(start, [replace(share, nonce=share.nonce + (1 << 32))]))


async def send_twice(worker: RawWorker, start: Start) -> None:
    (share,) = start.draw(1)
    await worker.send(make_result(start, [share]))
    await worker.send(make_result(start, [share]))


async def send_twice_at_once(worker: RawWorker, start: Start) -> None:
    await worker.send(make_result(start, start.draw(1) * 2))


async def send_outside(worker: RawWorker, start: Start) -> None:
    (share,) = start.draw(1)
    await worker.send(make_result(start, [replace(share, j=start.w.strips)]))


async def send_below(worker: RawWorker, start: Start) -> None:
    (share,) = start.draw(1)
    await worker.send(make_result(start, [replace(share, i=start.x.strips)]))


async def send_beside(worker: RawWorker, start: Start) -> None:
    (share,) = start.draw(1)
    await worker.send(make_result(start, [replace(share, p=start.x.panels)]))


async def send_weak(worker: RawWorker, start: Start) -> None:
    (share,) = start.draw(1)
    await worker.send(make_result(start, [replace(share, digest=b"\xff" * 32)]))


async def send_wrong_digest(worker: RawWorker, start: Start) -> None:
    (share,) = start.draw(1)
    await worker.send(make_result(start, [replace(share, digest=bytes(32))]))


async def send_future_template(worker: RawWorker, start: Start) -> None:
    await worker.send(make_result(start, [], template=start.template.number + 1))


async def send_future_assignment(worker: RawWorker, start: Start) -> None:
    await worker.send(make_result(start, [], assignment=start.assignment.number + 1))


async def send_rows_for_nothing(worker: RawWorker, start: Start) -> None:
    await worker.send(Rows(start.assignment.number + 1, 0, b"1234"))


async def send_text(worker: RawWorker, start: Start) -> None:
    await worker.ws.send_str("hello")


async def send_nonsense(worker: RawWorker, start: Start) -> None:
    await worker.ws.send_bytes(b"\x93\x03\x01")


async def send_long_hello(worker: RawWorker, start: Start) -> None:
    await worker.ws.send_bytes(encode_message(make_hello()).ljust(600, b"\0"))


async def send_hello_again(worker: RawWorker, start: Start) -> None:
    await worker.send(make_hello())


async def send_often(worker: RawWorker, start: Start) -> None:
    for _ in range(7):
        await worker.send(Measured(1, 1, 1))


@pytest.mark.parametrize(
    ("send", "code"),
    [
        (send_foreign_prefix, "foreign-prefix"),
        (send_twice, "duplicate-share"),
        (send_twice_at_once, "duplicate-share"),
        (send_outside, "share-outside"),
        (send_below, "share-outside"),
        (send_beside, "share-outside"),
        (send_weak, "share-above-target"),
        (send_wrong_digest, "wrong-digest"),
        (send_future_template, "unknown-template"),
        (send_future_assignment, "unknown-assignment"),
        (send_rows_for_nothing, "unknown-assignment"),
        (send_text, "not-a-message"),
        (send_nonsense, "bad-message"),
        (send_long_hello, "too-large"),
        (send_hello_again, "unexpected-message"),
        (send_often, "too-fast"),
    ],
)
async def test_an_offence_ends_the_connection(lab: WorkLab, send: Send, code: str) -> None:
    async with lab.join(speed=1) as worker:
        await send(worker, await worker.start())
        refused = await worker.hear(Refused)
        assert refused.code == code
        with pytest.raises(ConnectionError):
            await worker.hear(RunData)
    await lab.until(lambda: lab.service.get_status().workers == ())
    assert lab.service.get_status().errors == {code: 1}
    async with lab.join(speed=1) as again:
        if OFFENCES[code]:
            assert (await again.hear(Refused)).code == "banned"
        else:
            await again.start()


async def test_a_ticket_of_anothers_piece_ends_the_connection(lab: WorkLab) -> None:
    """Nobody is paid twice for strips that two workers have in turn."""
    async with lab.join(speed=20) as worker, lab.join(speed=20) as other:
        start = await worker.start()
        await other.start()
        lab.offer(*make_matrices())
        piece, others = await worker.hear_piece(), await other.hear_piece()
        assert isinstance(piece.work, Piece)
        assert isinstance(others.work, Piece)
        assert not piece.work.first <= others.work.first < piece.work.last
        share = Share(start.get_nonce(9), others.work.first, 0, 0, bytes(32))
        await worker.send(Result(piece.number, start.template.number, 1, (share,), False))
        assert (await worker.hear(Refused)).code == "share-outside"


async def test_another_workers_share_is_not_counted(lab: WorkLab) -> None:
    async with lab.join(speed=1) as first, lab.join(speed=1) as thief:
        start, own = await first.start(), await thief.start()
        (share,) = start.draw(1)
        await thief.send(make_result(own, [share]))
        assert (await thief.hear(Refused)).code == "foreign-prefix"
        await first.send(make_result(start, [share]))
        assert (await first.hear(Ack)).counted == 1


async def test_a_message_larger_than_any_kind_ends_the_connection(lab: WorkLab) -> None:
    """All places together can make the node hold this many bytes of messages: about 300 MiB."""
    assert (MAX_WORKERS + FLEET_PLACES + MAX_WAITING) * MAX_FROM_WORKER_BYTES <= 306 << 20
    async with lab.join() as worker:
        await worker.start()
        await worker.ws.send_bytes(bytes(MAX_FROM_WORKER_BYTES + 1))
        with pytest.raises(ConnectionError):
            await worker.hear(RunData)
    await lab.until(lambda: lab.service.get_status().workers == ())


async def test_too_many_shares_end_the_connection(lab: WorkLab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inos.workers.server.share_counter.SHARES_BURST", 4)
    async with lab.join(speed=1) as worker:
        start = await worker.start()
        await worker.send(make_result(start, start.draw(5)))
        assert (await worker.hear(Refused)).code == "too-fast"


async def begin_piece(lab: WorkLab, worker: RawWorker) -> tuple[Start, Assignment, Piece, np.ndarray[Any, Any]]:
    """Return a piece that the worker was given, and its right rows."""
    start = await worker.start()
    x, w = make_matrices()
    lab.offer(x, w)
    piece = await worker.hear_piece()
    assert isinstance(piece.work, Piece)
    return start, piece, piece.work, multiply(x, w)[16 * piece.work.first : 16 * piece.work.last]


@pytest.mark.parametrize("offset", [1, 4, 2**63])
async def test_rows_come_in_order(lab: WorkLab, offset: int) -> None:
    async with lab.join(speed=10**5) as worker:
        _, piece, _, rows = await begin_piece(lab, worker)
        await worker.send(Rows(piece.number, offset, rows.tobytes()[:100]))
        assert (await worker.hear(Refused)).code == "rows-out-of-order"


async def test_more_rows_than_the_piece_has(lab: WorkLab) -> None:
    async with lab.join(speed=10) as worker:
        _, piece, _, rows = await begin_piece(lab, worker)
        await worker.send(Rows(piece.number, 0, rows.tobytes() + b"\0"))
        assert (await worker.hear(Refused)).code == "rows-out-of-order"


async def test_a_piece_without_all_rows(lab: WorkLab) -> None:
    async with lab.join(speed=10) as worker:
        start, piece, _, rows = await begin_piece(lab, worker)
        await worker.send(Rows(piece.number, 0, rows.tobytes()[:-4]))
        await worker.send(Result(piece.number, start.template.number, 1, (), True))
        assert (await worker.hear(Refused)).code == "rows-missing"


async def test_a_declined_piece_goes_back_and_no_other_one_comes(lab: WorkLab) -> None:
    async with lab.join(speed=10, identity=b"\x06" * 16) as worker:
        _, piece, _, _ = await begin_piece(lab, worker)
        await worker.send(Declined(piece.number, "no memory"))
        async with lab.join(speed=10) as other:
            await other.start()
            taken = (await other.hear_piece()).work
        assert isinstance(taken, Piece)
        assert taken.first == 0
        assert [each.late for each in lab.service.get_status().workers][:1] == [1]


async def test_runs_are_sent_for_a_piece_only_and_not_without_end(lab: WorkLab) -> None:
    async with lab.join(speed=10) as worker:
        await worker.start()
        await worker.send(GetRun(b"\x01" * 32, 0))  # No piece: no answer, and no offence.
        x, w = make_matrices()
        split = lab.offer(x, w)
        piece = (await worker.hear_piece()).work
        assert isinstance(piece, Piece)
        for _ in range(2 + ASKED_RUNS):
            await worker.send(GetRun(split.w.ref.id, 0))
            run = await worker.hear(RunData)
            assert run.data == split.w.array.reshape(6, 16, 1024).tobytes()
        await worker.send(GetRun(split.w.ref.id, 0))
        assert (await worker.hear(Refused)).code == "unknown-run"


async def test_a_run_beyond_the_operand(lab: WorkLab) -> None:
    async with lab.join(speed=10) as worker:
        _, _, piece, _ = await begin_piece(lab, worker)
        await worker.send(GetRun(piece.x.id, 2**20))
        assert (await worker.hear(Refused)).code == "unknown-run"


async def test_a_stranger_gets_a_piece_for_a_quarter_of_what_it_proved(pool_lab: WorkLab) -> None:
    pool_lab.pool.target = type(pool_lab.pool.target)(U256_MAX // 100)
    x, w = make_matrices()  # 6 tickets a strip
    async with pool_lab.join(token=None, address=STRANGER) as worker:
        start = await worker.start()
        assert start.welcome.largest_piece == 0
        assert start.welcome.local is None
        pool_lab.offer(x, w)
        await worker.send(make_result(start, start.draw(1)))
        assert (await worker.hear(Ack)).counted == 1
        piece = (await worker.hear_piece()).work
        assert isinstance(piece, Piece)
        assert 1 <= piece.last - piece.first <= 99 // 4 // 6
    assert [weight for _, weight in pool_lab.pool.shares] == [99]


async def test_a_stranger_that_the_pool_trusts_with_no_pieces_gets_fillers(pool_lab: WorkLab) -> None:
    pool_lab.pool.is_open = False
    async with pool_lab.join(token=None, address=STRANGER) as worker:
        start = await worker.start()
        pool_lab.offer(*make_matrices())
        await worker.send(make_result(start, start.draw(20)))
        ack = await worker.hear(Ack)
        assert (ack.counted, ack.totals.unpaid) == (20, 140)
        with pytest.raises(TimeoutError):
            await worker.hear(Assignment, 0.4)
    await pool_lab.until(lambda: pool_lab.pool.removed)


async def test_a_paid_piece_of_a_stranger_is_told_to_the_pool(pool_lab: WorkLab) -> None:
    async with pool_lab.join(token=None, address=STRANGER) as worker:
        start = await worker.start()
        await worker.send(make_result(start, start.draw(60)))
        x, w = make_matrices()
        split = pool_lab.offer(x, w)
        piece = await worker.hear_piece()
        work = piece.work
        assert isinstance(work, Piece)
        rows = multiply(x, w)[16 * work.first : 16 * work.last]
        await worker.send(Rows(piece.number, 0, rows.tobytes()))
        await worker.send(Result(piece.number, start.template.number, 6, (), True))
        await pool_lab.until(lambda: pool_lab.pool.pieces)
        assert [tickets for _, tickets in pool_lab.pool.pieces] == [6 * (work.last - work.first)]
        assert split.product.strips_done >= work.last - work.first


async def test_a_worker_over_a_slow_line_gets_fillers_only(lab: WorkLab) -> None:
    async with lab.join(down=1000, up=1000, speed=10**6) as worker:
        await worker.start()
        lab.offer(*make_matrices())
        with pytest.raises(TimeoutError):
            await worker.hear(Assignment, 0.4)


async def test_a_worker_without_room_gets_fillers_only(lab: WorkLab) -> None:
    async with lab.join(room=100_000) as worker:
        await worker.start()
        lab.offer(*make_matrices())
        with pytest.raises(TimeoutError):
            await worker.hear(Assignment, 0.4)


async def test_a_filler_is_made_again_after_a_day(lab: WorkLab, monkeypatch: pytest.MonkeyPatch) -> None:
    """The share target stays as it is, and late shares of the filler before still count."""
    async with lab.join(speed=1) as worker:
        start = await worker.start()
        monkeypatch.setattr(session_module, "FILLER_S", 0.0)
        monkeypatch.setattr(fillers_module, "FILLER_S", 0.0)
        later = await worker.hear_filler()
        monkeypatch.undo()
        assert later.share_target == start.assignment.share_target
        assert isinstance(later.work, Filler)
        assert later.work != start.assignment.work
        await worker.send(make_result(start, start.draw(1)))
        assert (await worker.hear(Ack)).counted == 1


async def test_a_worker_that_left_is_not_heard_of_again(pool_lab: WorkLab, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was begun for it when it left gives it no filler, and asks the pool nothing."""
    asked = list[WorkerInfo]()
    async with pool_lab.join(address=STRANGER, token=None) as worker:
        await worker.start()
        ((session, _),) = pool_lab.service._sessions.values()
    await pool_lab.until(lambda: pool_lab.pool.removed)
    monkeypatch.setattr(pool_lab.pool, "get_share_target", asked.append)
    assert not session.is_started
    await session.look()
    await session.refresh_filler()
    assert asked == []


async def test_a_worker_that_falls_silent_is_ended(lab: WorkLab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "SILENT_S", 0.1)
    async with lab.join() as worker:
        await worker.start()
        assert (await worker.hear(Refused)).code == "silent"


async def test_no_worker_chooses_the_weight_of_a_ticket_that_it_has_drawn(pool_lab: WorkLab) -> None:
    """A harder assignment under the same template makes no ticket of it weigh more."""
    kind = type(pool_lab.pool.target)
    pool_lab.pool.target = kind(U256_MAX // 8)
    async with pool_lab.join(token=None, address=STRANGER) as worker:
        start = await worker.start()
        drawn = start.draw(400)
        pool_lab.pool.target = kind(U256_MAX // 100)
        harder = await worker.hear_filler()
        limit = int.from_bytes(harder.share_target, "big")
        rare = [share for share in drawn if int.from_bytes(share.digest, "big") <= limit]
        common = [share for share in drawn if share not in rare]
        assert len(rare) >= 10
        await worker.send(make_result(start, rare[:5], assignment=harder.number))
        await worker.send(make_result(start, common[:7]))
        assert [(await worker.hear(Ack)).counted for _ in range(2)] == [5, 7]
        assert {weight for _, weight in pool_lab.pool.shares} == {8}


async def test_an_older_assignment_counts_under_a_newer_template_by_its_target(pool_lab: WorkLab) -> None:
    kind = type(pool_lab.pool.target)
    pool_lab.pool.target = kind(U256_MAX // 8)
    async with pool_lab.join(token=None, address=STRANGER) as worker:
        start = await worker.start()
        pool_lab.pool.target = kind(U256_MAX // 32)
        pool_lab.node.make_block()
        newer = await worker.hear(NewTemplate)
        harder = await worker.hear_filler()
        limit = int.from_bytes(harder.share_target, "big")
        late = Start(start.welcome, newer, start.assignment).draw(200)
        honest = sum(int.from_bytes(share.digest, "big") <= limit for share in late)
        assert 20 <= honest < 100
        for at in range(0, 200, 50):
            await worker.send(make_result(start, late[at : at + 50], template=newer.number))
        assert sum([(await worker.hear(Ack)).counted for _ in range(4)]) == honest
        assert {weight for _, weight in pool_lab.pool.shares} == {32}


async def test_what_a_stranger_says_that_it_drew_is_not_counted(pool_lab: WorkLab) -> None:
    async with pool_lab.join(token=None, address=STRANGER) as worker:
        start = await worker.start()
        await worker.send(make_result(start, start.draw(3), drawn=10**9))
        assert (await worker.hear(Ack)).totals.tickets == 3 * 8
        assert [each.tickets for each in pool_lab.service.get_status().workers] == [3 * 8]


async def test_runs_that_nobody_reads_are_bounded(lab: WorkLab) -> None:
    async with lab.join(speed=10) as worker:
        await worker.start()
        split = lab.offer(*make_matrices(cols=24 * 1024))  # W has 24 runs of 1 MiB.
        await worker.hear_piece()
        for number in range(48):
            await worker.send(GetRun(split.w.ref.id, number % 24))
        await lab.until(lambda: lab.service.get_status().errors)
        assert lab.service.get_status().errors == {"too-fast": 1}


async def test_a_stranger_that_says_it_is_slow_holds_no_piece(
    pool_lab: WorkLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, w = make_matrices(cols=48)  # A strip has 3 tickets.
    async with pool_lab.join(token=None, address=STRANGER, speed=1) as worker:
        start = await worker.start()
        monkeypatch.setattr("inos.workers.server.allotment.STRANGER_MOST_S", 2.0)
        split = pool_lab.offer(x, w)
        await worker.send(make_result(start, start.draw(60)))
        assert (await worker.hear(Ack)).counted == 60
        with pytest.raises(TimeoutError):
            await worker.hear(Assignment, 0.5)
        monkeypatch.setattr("inos.workers.server.allotment.STRANGER_MOST_S", 4.0)
        piece = (await worker.hear_piece()).work
        assert isinstance(piece, Piece)
        assert (piece.first, piece.last) == (0, 1)
        assert split.product.strips_done == 0


async def test_a_ticket_counts_once_for_as_long_as_its_template_counts(lab: WorkLab) -> None:
    """Many templates may replace each other within the time for which the first one still counts."""
    async with lab.join(speed=1) as worker:
        start = await worker.start()
        shares = start.draw(1)
        await worker.send(make_result(start, shares))
        assert (await worker.hear(Ack)).counted == 1
        for _ in range(10):
            lab.node.make_block()
            await worker.hear(NewTemplate)
        await worker.send(make_result(start, shares))
        assert (await worker.hear(Refused)).code == "duplicate-share"


async def test_a_stranger_that_was_late_gets_no_piece_for_a_while(
    pool_lab: WorkLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another taker finishes its piece; the stranger is told, and the next product goes to others for a minute."""
    x, w = make_matrices()
    monkeypatch.setattr("inos.miner.split.LEAST_LATE_S", 0.0)
    monkeypatch.setattr("inos.miner.split.LATE_FACTOR", 0.0)
    async with pool_lab.join(token=None, address=STRANGER, speed=1000) as stranger:
        start = await stranger.start()
        await stranger.send(make_result(start, start.draw(60)))
        await stranger.hear(Ack)
        split = pool_lab.offer(x, w)
        piece = await stranger.hear_piece()
        assert isinstance(piece.work, Piece)
        first, last = piece.work.first, piece.work.last
        assert split.take(0, 10**6, 1000.0, 2000.0) is not None or last == split.product.strips
        rows = multiply(x[16 * first : 16 * last], w)
        assert await split.finish(0, first, last, rows)
        assert (await stranger.hear(Cancelled)).assignment == piece.number
        pool_lab.offer(x, w)
        with pytest.raises(TimeoutError):
            await stranger.hear_piece(0.5)
        assert [each.late for each in pool_lab.service.get_status().workers] == [1]
