"""Transactions that wait beside each other are processed together, and each caller learns its own outcome."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from inos.core.errors import NodeError
from inos.core.intake import MAX_GROUP, MAX_GROUPS, Intake, Outcome
from inos.primitives.errors import RuleViolation
from inos.primitives.units import TxId


class Line:
    """Takes even numbers for transactions, refuses odd ones, and can be held."""

    def __init__(self) -> None:
        self.groups: list[list[Any]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.entered = asyncio.Event()
        self.error: Exception | None = None

    async def process(self, transactions: Sequence[Any]) -> list[Outcome]:
        self.groups.append(list(transactions))
        self.entered.set()
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return [TxId(bytes([tx])) if tx % 2 == 0 else RuleViolation("odd", str(tx)) for tx in transactions]


async def test_all_that_arrive_together_are_one_group() -> None:
    line = Line()
    intake = Intake(line.process)
    outcomes = await asyncio.gather(*map(intake.take, range(5)), return_exceptions=True)  # type: ignore[arg-type]
    assert [outcome if isinstance(outcome, bytes) else outcome.code for outcome in outcomes] == [
        b"\0", "odd", b"\2", "odd", b"\4",
    ]  # fmt: skip
    assert line.groups == [[0, 1, 2, 3, 4]]


async def test_groups_are_bounded_and_keep_the_order() -> None:
    line = Line()
    line.gate.clear()
    intake = Intake(line.process)
    count = MAX_GROUP * 3
    tasks = [asyncio.ensure_future(intake.take(0)) for _ in range(count)]  # type: ignore[arg-type]
    for _ in range(20):
        await asyncio.sleep(0)
    assert len(line.groups) == MAX_GROUPS
    line.gate.set()
    await asyncio.gather(*tasks)
    assert [len(group) for group in line.groups] == [MAX_GROUP] * 3


async def test_a_caller_that_goes_leaves_the_others_their_answers() -> None:
    line = Line()
    line.gate.clear()
    intake = Intake(line.process)
    first, second = (asyncio.ensure_future(intake.take(number)) for number in (2, 4))  # type: ignore[arg-type]
    await line.entered.wait()
    late = asyncio.ensure_future(intake.take(6))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    first.cancel()
    late.cancel()
    line.gate.set()
    assert await second == b"\4"
    assert await intake.take(8) == b"\10"  # type: ignore[arg-type]
    assert all(6 not in group for group in line.groups[2:])


async def test_what_fails_as_a_whole_fails_for_each() -> None:
    line = Line()
    line.error = NodeError("busy", "too much waits")
    intake = Intake(line.process)
    with pytest.raises(NodeError, match="too much"):
        await intake.take(0)  # type: ignore[arg-type]
    line.error = None
    assert await intake.take(0) == b"\0"  # type: ignore[arg-type]
