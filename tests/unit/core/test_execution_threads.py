"""Blocks and templates are executed outside the writer, which goes on with what others want meanwhile."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any, Final

import pytest
from msgspec.structs import replace

from inos.chain import preparation
from inos.core import templates
from inos.primitives.blocks import compute_block_id
from inos.primitives.errors import RuleViolation
from inos.primitives.transactions import Transfer
from inos.primitives.units import Address

LIMIT_S: Final = 60.0


class Gate:
    """Holds up the first call of a function, and records the thread of each call."""

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call
        self._open = threading.Event()
        self.threads: list[str] = []
        self.entered = threading.Event()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.threads.append(threading.current_thread().name)
        if len(self.threads) == 1:
            self.entered.set()
            assert self._open.wait(LIMIT_S)
        return self._call(*args, **kwargs)

    async def wait_entered(self) -> None:
        assert await asyncio.to_thread(self.entered.wait, LIMIT_S)

    def open(self) -> None:
        self._open.set()


async def test_others_are_served_while_a_block_is_executed(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    core = lab.open("a")
    block, witness = await lab.mine(core)
    gate = Gate(preparation.execute_block)
    monkeypatch.setattr(preparation, "execute_block", gate)
    async with asyncio.timeout(LIMIT_S):
        adding = asyncio.ensure_future(core.blocks.add(block, witness))
        await gate.wait_entered()
        await core.transactions.add(lab.sign(lab.alice, 0, Transfer(lab.worker.address, 5)))
        template = await core.templates.make(lab.miner.address)
        assert core.ledger.tip.header.height == 0
        gate.open()
        outcome = await adding
    assert template.header.parent == block.header.parent
    assert len(template.transactions) == 1
    assert outcome.connected == (compute_block_id(block.header),)
    assert [name.startswith("execute") for name in gate.threads] == [True], "the writer does not execute it again"


async def test_blocks_are_connected_while_a_template_is_made(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    core = lab.open("a")
    block, witness = await lab.mine(core)
    gate = Gate(templates.make_template)
    monkeypatch.setattr(templates, "make_template", gate)
    async with asyncio.timeout(LIMIT_S):
        making = asyncio.ensure_future(core.templates.make(lab.miner.address))
        await gate.wait_entered()
        await core.blocks.add(block, witness)
        assert core.ledger.tip.header.height == 1
        gate.open()
        template = await making
    assert template.header.parent == compute_block_id(block.header)
    assert gate.threads[0].startswith("execute")


async def test_of_equal_blocks_the_first_one_wins_however_long_it_takes(
    lab: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    core = lab.open("a")
    first, witness = await lab.mine(core)
    other, other_witness = await lab.mine(core, beneficiary=Address(bytes(20)))
    gate = Gate(preparation.execute_block)
    monkeypatch.setattr(preparation, "execute_block", gate)
    async with asyncio.timeout(LIMIT_S):
        adding = asyncio.ensure_future(core.blocks.add(first, witness))
        await gate.wait_entered()
        following = asyncio.ensure_future(core.blocks.add(other, other_witness))
        gate.open()
        await adding
        assert (await following).connected == ()
    assert core.ledger.tip.id == compute_block_id(first.header)


async def test_a_block_without_the_work_of_the_tip_s_child_is_not_executed_before_the_writer_refuses_it(
    lab: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    core = lab.open("a")
    block, witness = await lab.mine(core)
    gate = Gate(preparation.execute_block)
    gate.open()
    monkeypatch.setattr(preparation, "execute_block", gate)
    for header in (replace(block.header, state_root=bytes(32)), replace(block.header, target=bytes(32))):
        with pytest.raises(RuleViolation):
            await core.blocks.add(replace(block, header=header), witness)
    assert gate.threads == []


async def test_block_executed_while_its_body_is_checked_is_not_executed_again(
    lab: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    core = lab.open("a")
    block, witness = await lab.mine(core)
    other, _ = await lab.mine(core, beneficiary=Address(bytes(20)))
    gate = Gate(preparation.execute_block)
    monkeypatch.setattr(preparation, "execute_block", gate)
    async with asyncio.timeout(LIMIT_S):
        ahead = asyncio.ensure_future(core.blocks.execute_ahead(block))
        await gate.wait_entered()
        await core.blocks.execute_ahead(other)  # returns at once: one block at a time
        checked = await core.verifier.check(block, witness)
        adding = asyncio.ensure_future(core.blocks.add_checked([checked]))
        await asyncio.sleep(0)
        gate.open()
        await asyncio.gather(ahead, adding)
    assert core.ledger.tip.id == compute_block_id(block.header)
    assert len(gate.threads) == 1
    assert gate.threads[0].startswith("execute")


async def test_execution_ahead_that_is_cancelled_is_done_again(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    core = lab.open("a")
    block, witness = await lab.mine(core)
    gate = Gate(preparation.execute_block)
    monkeypatch.setattr(preparation, "execute_block", gate)
    async with asyncio.timeout(LIMIT_S):
        ahead = asyncio.ensure_future(core.blocks.execute_ahead(block))
        await gate.wait_entered()
        ahead.cancel()
        await asyncio.gather(ahead, return_exceptions=True)
        gate.open()
        await core.blocks.add_checked([await core.verifier.check(block, witness)])
    assert core.ledger.tip.id == compute_block_id(block.header)
    assert len(gate.threads) == 2
