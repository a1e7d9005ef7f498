import asyncio

import pytest

from inos.core.bounded import BoundedSet, ExpiringSet, Score, TokenBucket
from inos.network.errors import Misbehaviour, RequestFailed
from inos.network.peers.requests import OpenRequests
from inos.network.wire.chain import BlockData, Headers
from inos.network.wire.control import NotFound
from inos.network.wire.matrices import MatrixHead


def test_bounded_set_forgets_the_oldest():
    known = BoundedSet(3)
    for item in (1, 2, 3, 1, 4):
        known.add(item)
    assert [item in known for item in (1, 2, 3, 4)] == [True, False, True, True]
    assert len(known) == 3


def test_expiring_set():
    later = ExpiringSet(2)
    later.add("a", 5.0)
    assert later.has("a", 4.9)
    assert not later.has("a", 5.0)
    for name in "abc":
        later.add(name, 9.0)
    assert not later.has("a", 0.0)
    assert len(later) == 2


def test_token_bucket_and_score():
    bucket = TokenBucket(2.0, 4.0, 100.0)
    assert [bucket.take(100.0) for _ in range(5)] == [True] * 4 + [False]
    assert [bucket.take(101.0) for _ in range(3)] == [True, True, False]
    assert [bucket.take(1000.0) for _ in range(5)] == [True] * 4 + [False]
    score = Score(0.5, 0.0)
    assert score.add(10, 0.0) == 10
    assert score.add(0, 4.0) == 8
    assert score.add(1, 1000.0) == 1


async def test_answers_reach_who_asked():
    book = OpenRequests()
    with book.open(Headers) as first, book.open(MatrixHead) as second:
        assert first.request != second.request
        book.deliver(NotFound(second.request, ()))
        book.deliver(Headers(first.request, ()))
        assert isinstance(await first.next(1), Headers)
        assert isinstance(await second.next(1), NotFound)
    assert len(book) == 0


async def test_no_answer_is_a_failure_and_a_late_one_is_let_pass():
    book = OpenRequests()
    with book.open(Headers) as pending, pytest.raises(RequestFailed) as error:
        await pending.next(0.01)
    assert error.value.code == "timeout"
    book.deliver(Headers(pending.request, ()))
    with pytest.raises(Misbehaviour) as fault:
        book.deliver(Headers(pending.request + 1, ()))
    assert fault.value.code == "unsolicited"


async def test_wrong_kinds_and_too_many_answers_are_faults():
    book = OpenRequests()
    with book.open(BlockData, replies=1) as pending:
        with pytest.raises(Misbehaviour) as fault:
            book.deliver(Headers(pending.request, ()))
        assert fault.value.code == "wrong-answer"
        book.deliver(NotFound(pending.request, ()))
        with pytest.raises(Misbehaviour) as fault:
            book.deliver(NotFound(pending.request, ()))
        assert fault.value.code == "too-many-answers"


async def test_a_gone_peer_fails_what_is_open():
    book = OpenRequests()
    with book.open(Headers) as pending:
        waiting = asyncio.ensure_future(pending.next(10))
        await asyncio.sleep(0)
        book.close()
        with pytest.raises(RequestFailed) as error:
            await waiting
        assert error.value.code == "peer-gone"
    with pytest.raises(RequestFailed), book.open(Headers):
        pass


async def test_open_questions_are_bounded():
    book = OpenRequests()
    contexts = [book.open(Headers) for _ in range(128)]
    for context in contexts:
        context.__enter__()
    with pytest.raises(RequestFailed) as error, book.open(Headers):
        pass
    assert error.value.code == "too-many-open"
