"""A newcomer that could never sync: one job whose matrices are gone stopped every later full sync for 1 nano.

Now results deep below a chain of headers count as checked if a sample of witnesses shows its work.
"""

import contextlib
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from inos.chain.ledger import Ledger
from inos.consensus.records import JobState
from inos.primitives.errors import VerdictMissing
from inos.primitives.transactions import ClaimJob, SubmitResult, compute_tx_id
from inos.primitives.units import BlockId, JobId, TimeMs
from support.chain_maker import EASY, Branch, MadeBlock, make_result_ref
from support.consensus_lab import ALICE, BOB, make_post

NOW = TimeMs(10**13)
DEPTH = EASY.result_depth


@pytest.fixture
def branch() -> Branch:
    return Branch(EASY)


@pytest.fixture
def ledger(branch: Branch, tmp_path: Path) -> Iterator[Ledger]:
    opened = branch.open_ledger(tmp_path)
    yield opened
    opened.close()


def make_history(branch: Branch) -> tuple[JobId, list[MadeBlock]]:
    """Return a chain with a settled job at its beginning and enough blocks above it, whose result's bytes are gone."""
    post = branch.sign(ALICE, make_post(1), fee=1000)
    job = JobId(compute_tx_id(post))
    branch.grow(post)
    branch.grow(branch.sign(BOB, ClaimJob(job), fee=1000))
    branch.grow(branch.sign(BOB, SubmitResult(job, make_result_ref()), fee=1000))
    while len(branch.blocks) < DEPTH + 12:
        branch.grow()
    branch.products.missing.add(make_result_ref().id)
    return job, branch.blocks


def sync(ledger: Ledger, blocks: list[MadeBlock]) -> None:
    for made in blocks:
        with contextlib.suppress(VerdictMissing):
            ledger.add_block(made.block, made.witness, NOW)


def test_a_newcomer_stops_at_a_result_that_nobody_has_and_goes_on_once_the_work_above_is_checked(
    branch: Branch, ledger: Ledger
) -> None:
    job, blocks = make_history(branch)
    for made in blocks:
        ledger.add_header(made.block.header, NOW)
    sync(ledger, blocks)
    assert ledger.view.tip.header.height < 4
    sample = ledger.view.draw_work_sample(64, random.Random(3))
    assert sample is not None
    top, drawn = sample
    assert top == blocks[-1].id
    assert len(drawn) == 64
    assert set(drawn) <= {made.id for made in blocks}
    ledger.vouch(top)
    ledger.retry_held(NOW)
    assert ledger.view.tip.id == blocks[-1].id
    settled = ledger.view.state.get_job(job)
    assert settled is not None
    assert settled.state is JobState.SETTLED
    ledger.check()
    assert ledger.view.draw_work_sample(64, random.Random(3)) is None


def test_a_result_that_is_not_deep_is_checked_all_the_same(branch: Branch, ledger: Ledger) -> None:
    _, blocks = make_history(branch)
    near = blocks[: DEPTH - 2]
    for made in near:
        ledger.add_header(made.block.header, NOW)
    sync(ledger, near)
    assert ledger.view.draw_work_sample(64, random.Random(3)) is None
    ledger.vouch(near[-1].id)
    with pytest.raises(VerdictMissing):
        ledger.retry_held(NOW)
    assert ledger.view.tip.header.height < 4


def test_headers_that_turn_out_invalid_vouch_for_nothing(branch: Branch, ledger: Ledger) -> None:
    _, blocks = make_history(branch)
    for made in blocks:
        ledger.add_header(made.block.header, NOW)
    ledger.vouch(BlockId(bytes(32)))
    sync(ledger, blocks)
    assert ledger.view.tip.header.height < 4


def test_the_sample_is_drawn_by_weight(branch: Branch, ledger: Ledger) -> None:
    _, blocks = make_history(branch)
    for made in blocks:
        ledger.add_header(made.block.header, NOW)
    drawn: dict[bytes, int] = {}
    for seed in range(40):
        sample = ledger.view.draw_work_sample(64, random.Random(seed))
        assert sample is not None
        for block in sample[1]:
            drawn[block] = drawn.get(block, 0) + 1
    assert set(drawn) == {made.id for made in blocks}
