"""Templates count for some seconds after they were replaced, and are forgotten then."""

from typing import Any

import pytest
from msgspec.structs import replace

from inos.primitives.blocks import compute_anchor
from inos.workers.limits import GRACE_S
from inos.workers.messages import LEAST_PREFIX
from inos.workers.server.templates import Templates
from support.work_lab import ME, WorkNode


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return a list whose only entry is the time."""
    now = [100.0]
    monkeypatch.setattr("inos.workers.server.templates.TEMPLATE_S", 0.0)
    return now


def make(at: list[float]) -> Templates:
    node: Any = WorkNode()
    node.clock = type("Clock", (), {"monotonic": lambda _: at[0], "now_ms": lambda _: 0})()
    return Templates(node, ME)


async def test_replaced_templates_are_forgotten_though_nobody_asks_for_one(at: list[float]) -> None:
    templates = make(at)
    for _ in range(50):
        await templates.renew()
        at[0] += GRACE_S / 2
    assert len(templates._replaced) <= 4


async def test_the_oldest_template_is_the_oldest_that_is_found(at: list[float]) -> None:
    templates = make(at)
    for _ in range(20):
        await templates.renew()
        at[0] += GRACE_S / 16
    oldest = templates.get_oldest()
    assert 1 < oldest < 20 - 8
    assert templates.find(oldest) is not None
    assert templates.find(oldest - 1) is None
    at[0] += 2 * GRACE_S
    assert templates.get_oldest() == 20


@pytest.mark.parametrize("counter", [0, 1, 2**32 - 1])
async def test_an_anchor_is_that_of_the_header(at: list[float], counter: int) -> None:
    issued = await make(at).renew()
    for prefix in (LEAST_PREFIX, 2**32 - 1):
        nonce = prefix << 32 | counter
        assert issued.compute_anchor(nonce) == compute_anchor(replace(issued.template.header, nonce=nonce))
