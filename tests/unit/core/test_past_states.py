"""Tests states that are kept for others: only those of recent checkpoints, only a few, and none in use is dropped."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from inos.chain import past
from inos.chain.ledger import Ledger
from inos.consensus.records import account_key
from inos.consensus.stateranges import ROOT
from inos.consensus.statetree import check_proof
from inos.core.past_states import KEPT_S, MAX_STATES, PastStates
from inos.primitives.units import BlockId, StateRoot, TimeMs
from support.chain_maker import ALICE, EASY, Branch, feed
from support.inline_threads import InlineThreads

EPOCHS = MAX_STATES + 2


class HandClock:
    now = 100.0

    def monotonic(self) -> float:
        return self.now

    def now_ms(self) -> TimeMs:
        return TimeMs(0)


@pytest.fixture(scope="module")
def branch() -> Branch:
    made = Branch(EASY)
    made.grow_by(EPOCHS * EASY.epoch_blocks + 1)
    return made


@pytest.fixture
def ledger(branch: Branch, tmp_path: Path) -> Iterator[Ledger]:
    ledger = branch.open_ledger(tmp_path / "chain")
    feed(ledger, branch.blocks)
    yield ledger
    ledger.close()


def get_checkpoint(branch: Branch, epoch: int) -> BlockId:
    return branch.blocks[epoch * EASY.epoch_blocks - 1].id


async def test_a_record_proven_in_the_past(branch: Branch, ledger: Ledger) -> None:
    states, block = PastStates(ledger.view, InlineThreads(), HandClock()), get_checkpoint(branch, 2)
    key = account_key(ALICE.address)
    found = await states.prove(block, key)
    assert found is not None
    header = ledger.view.get_header(block)
    assert header is not None
    assert check_proof(StateRoot(header.state_root), key, *found)
    assert await states.read_range(block, ROOT) is not None
    assert await states.prove(branch.blocks[3].id, key) is None, "no epoch ends there"
    assert await states.prove(BlockId(b"\1" * 32), key) is None


async def test_room_is_bounded_and_what_is_used_stays(branch: Branch, ledger: Ledger) -> None:
    clock = HandClock()
    states = PastStates(ledger.view, InlineThreads(), clock)
    for epoch in range(1, MAX_STATES + 1):
        assert await states.read_range(get_checkpoint(branch, epoch), ROOT) is not None
    late = get_checkpoint(branch, MAX_STATES + 1)
    assert await states.read_range(late, ROOT) is None
    clock.now += KEPT_S
    assert await states.read_range(get_checkpoint(branch, 1), ROOT) is not None
    assert await states.read_range(late, ROOT) is not None
    assert await states.read_range(get_checkpoint(branch, 1), ROOT) is not None
    assert len(states._states) == MAX_STATES


async def test_states_too_far_back_are_not_made(
    branch: Branch, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(past, "MAX_UNDONE", 1)
    states = PastStates(ledger.view, InlineThreads(), HandClock())
    assert await states.read_range(get_checkpoint(branch, 1), ROOT) is None
