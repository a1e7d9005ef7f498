"""Slices in a thread: right rows, a nonce per product and template, and no ticket drawn twice."""

import asyncio
from collections.abc import AsyncIterator

import numpy as np
import pytest

from inos.primitives.units import U256_MAX
from inos.work import Operand
from inos.workers.client.multiplier import Multiplier, measure_speed
from inos.workers.messages import NewTemplate, Share, WorkHeader
from support.work_lab import make_matrices, multiply

HEADER = WorkHeader(3, 7, 9, b"\x02" * 32, 1_700_000_000_000, bytes(32), bytes(32), b"\xff" * 32, bytes(20))
TEMPLATES = [NewTemplate(number, HEADER, bytes(32)) for number in (1, 2)]
PREFIX = 2**31 + 9
X, W = (Operand.commit(each) for each in make_matrices(rows=64, cols=32))


@pytest.fixture
async def multiplier() -> AsyncIterator[Multiplier]:
    made = Multiplier("auto", 1, PREFIX)
    yield made
    made.close()


async def draw(multiplier: Multiplier, template: int, first: int, last: int) -> tuple[Share, ...]:
    rows = np.empty((16 * (last - first), W.ref.rows), np.int32)
    drawn = await multiplier.draw(X, W, TEMPLATES[template], U256_MAX, (first, last), out=rows)
    assert drawn.is_complete
    assert np.array_equal(rows, multiply(X.array, W.array)[16 * first : 16 * last])
    assert drawn.tickets == len(drawn.found) == 2 * (last - first)
    return drawn.found


async def test_one_nonce_serves_different_strips_and_never_the_same_twice(multiplier: Multiplier) -> None:
    first, second = await draw(multiplier, 0, 0, 2), await draw(multiplier, 0, 2, 4)
    again, other = await draw(multiplier, 0, 1, 3), await draw(multiplier, 1, 3, 4)
    nonces = [{share.nonce for share in found} for found in (first, second, again, other)]
    assert nonces[0] == nonces[1]
    assert len(set.union(*nonces)) == 3
    assert {nonce >> 32 for nonce in set.union(*nonces)} == {PREFIX}
    places = [(share.nonce, share.i, share.j, share.p) for found in (first, second, again, other) for share in found]
    assert len(set(places)) == len(places)


async def test_a_slice_can_be_interrupted(multiplier: Multiplier) -> None:
    x, w = (Operand.commit(each) for each in make_matrices(rows=4000, cols=4000, depth=4096))
    drawing = asyncio.ensure_future(multiplier.draw(x, w, TEMPLATES[0], 0, (0, x.strips)))
    await asyncio.sleep(0.01)
    multiplier.interrupt()
    drawn = await asyncio.wait_for(drawing, 60)
    assert not drawn.is_complete
    assert drawn.tickets < 250 * 250 * 4


def test_the_speed_is_measured() -> None:
    assert measure_speed("auto", 1) > 100
