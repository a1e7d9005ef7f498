"""Tests templates: their transactions, the order, and that the block made of one is valid."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from inos.chain.ledger import Ledger
from inos.chain.mempool import Mempool
from inos.chain.template import Template, make_template
from inos.consensus.records import JobState
from inos.consensus.times import compute_median_time
from inos.consensus.validity import check_block_sanity, check_header_context, check_seal
from inos.primitives.blocks import Block
from inos.primitives.bls import get_bls
from inos.primitives.codec import encode
from inos.primitives.transactions import CancelJob, ClaimJob, SubmitResult, Transaction, compute_tx_id
from inos.primitives.units import Height, JobId, TimeMs
from support.chain_maker import (
    ALICE,
    BOB,
    CAROL,
    EASY,
    MINER,
    NOW,
    Branch,
    MadeBlock,
    feed,
    make_post,
    make_result_ref,
    seal,
)

SMALL = msgspec.structs.replace(EASY, max_block_bytes=3000)


@pytest.fixture
def branch() -> Branch:
    return Branch()


@pytest.fixture
def ledger(branch: Branch, tmp_path: Path) -> Iterator[Ledger]:
    opened = branch.open_ledger(tmp_path)
    yield opened
    opened.close()


def fill(ledger: Ledger, *transactions: Transaction) -> Mempool:
    pool = Mempool(ledger.view.params)
    for tx in transactions:
        pool.add(tx, ledger.view.state, Height(ledger.view.tip.header.height))
    return pool


def make(ledger: Ledger, pool: Mempool, *, miner: bytes = MINER.address) -> Template:
    now = TimeMs(ledger.view.tip.header.time_ms + 2000)
    before = pool.list_best_first()
    template = make_template(ledger.view, pool, beneficiary=miner, now_ms=now)  # type: ignore[arg-type]
    assert pool.list_best_first() == before, "it reports what it could not take, and removes nothing"
    pool.on_refused(template.refusals, ledger.view.state)
    return template


def finish(template: Template) -> MadeBlock:
    return seal(Block(template.header, template.transactions), allowed=template.allowed_target)


def test_fees_decide_and_nonces_keep_their_order(branch: Branch, ledger: Ledger) -> None:
    cheap_first = branch.pay(ALICE, CAROL.address, fee=500)
    rich_second = branch.pay(ALICE, CAROL.address, fee=9000, ahead=1)
    middle = branch.pay(BOB, CAROL.address, fee=2000)
    low = branch.pay(BOB, CAROL.address, fee=400, ahead=1)
    gap = branch.pay(BOB, CAROL.address, fee=9999, ahead=3)
    template = make(ledger, fill(ledger, gap, low, rich_second, cheap_first, middle))
    assert template.transactions == (middle, cheap_first, rich_second, low)
    assert template.header.seal is None
    assert template.header.nonce == 0


def test_block_of_a_template_passes_all_stages(branch: Branch, ledger: Ledger) -> None:
    feed(ledger, branch.grow_by(3))
    pool = fill(
        ledger,
        branch.pay(ALICE, BOB.address),
        branch.sign(BOB, make_post(4), fee=900),
        branch.pay(BOB, ALICE.address, ahead=1),
    )
    template = make(ledger, pool)
    made = finish(template)
    check_block_sanity(EASY, made.block, get_bls())
    check_header_context(EASY, made.block.header, branch.context)
    check_seal(EASY, made.block.header, made.witness)
    assert branch.connect(made.block).stats.fees == 2900
    assert ledger.add_block(made.block, made.witness, NOW).connected == (made.id,)
    assert len(template.transactions) == 3


def test_empty_template_is_a_valid_block(branch: Branch, ledger: Ledger) -> None:
    for _ in range(3):
        made = finish(make(ledger, Mempool(EASY)))
        assert ledger.add_block(made.block, made.witness, NOW).connected == (made.id,)


def test_time_is_after_the_median_whatever_the_clock_says(branch: Branch, ledger: Ledger) -> None:
    feed(ledger, branch.grow_by(5))
    template = make_template(ledger.view, Mempool(EASY), beneficiary=MINER.address, now_ms=TimeMs(0))
    times = branch.context.recent_times_ms
    assert template.header.time_ms == compute_median_time(times) + 1
    made = finish(template)
    assert ledger.add_block(made.block, made.witness, NOW).connected == (made.id,)


def test_full_block_stays_within_its_bytes(tmp_path: Path) -> None:
    branch = Branch(SMALL)
    ledger = branch.open_ledger(tmp_path)
    pool = fill(ledger, *(branch.pay(ALICE, BOB.address, fee=300 + n, ahead=n) for n in range(30)))
    template = make(ledger, pool)
    made = finish(template)
    size = len(encode(template.transactions[0]))
    assert 1900 < len(encode(made.block)) <= 3000
    assert len(template.transactions) == (3000 - 1024) // size
    ledger.add_block(made.block, made.witness, NOW)
    assert ledger.view.tip.id == made.id
    ledger.close()


def test_large_transaction_gives_way_to_small_ones_of_others(tmp_path: Path) -> None:
    branch = Branch(msgspec.structs.replace(EASY, max_block_bytes=1024 + 200))
    ledger = branch.open_ledger(tmp_path)
    post = branch.sign(ALICE, make_post(1), fee=9000)
    after = branch.pay(ALICE, CAROL.address, ahead=1, fee=9000)
    small = branch.pay(BOB, CAROL.address, fee=300)
    assert len(encode(post)) > 200 > len(encode(small))
    assert make(ledger, fill(ledger, post, after, small)).transactions == (small,)
    ledger.close()


def test_invalid_now_is_skipped_with_what_follows_it(branch: Branch, ledger: Ledger) -> None:
    """A post is not covered by the balance, which the pool could not know."""
    broke = branch.sign(BOB, make_post(1, reward=498_000, max_burn=1000), fee=1999)
    after = branch.pay(BOB, CAROL.address, 1, ahead=1, fee=400)
    fine = branch.pay(ALICE, CAROL.address, fee=400)
    pool = fill(ledger, broke, fine)
    pool.on_disconnected(Block(branch.headers[0], (after,)), ledger.view.state)
    assert make(ledger, pool).transactions == (fine,)
    assert pool.list_best_first() == [compute_tx_id(broke), compute_tx_id(fine)], (
        "what its account cannot pay any more went"
    )


def test_many_failures_of_one_account_crowd_nobody_out(branch: Branch, ledger: Ledger) -> None:
    useless = [branch.sign(ALICE, ClaimJob(bytes(32)), fee=2000, ahead=n) for n in range(200)]
    fine = branch.pay(BOB, CAROL.address, fee=300)
    pool = fill(ledger, *useless, fine)
    assert make(ledger, pool).transactions == (fine,)


def test_hopeless_leaves_after_a_few_blocks(branch: Branch, ledger: Ledger) -> None:
    """It does not leave at once, because the job that it names may wait in the pool too."""
    claim = branch.sign(BOB, ClaimJob(bytes(32)), fee=2000)
    after = branch.pay(BOB, CAROL.address, ahead=1, fee=300)
    cancel = branch.sign(ALICE, CancelJob(bytes(32)), fee=1000)
    pool = fill(ledger, claim, after, cancel)
    for _ in range(3):
        template = make(ledger, pool)
        assert template.transactions == ()
        assert len(pool) == 3
        made = finish(template)
        feed(ledger, [made])
        pool.on_connected(made.block)
    assert make(ledger, pool).transactions == ()
    assert pool.list_best_first() == [compute_tx_id(after)]


def test_claim_that_pays_more_than_its_post_follows_it_in_the_same_block(branch: Branch, ledger: Ledger) -> None:
    post = branch.sign(ALICE, make_post(1), fee=600)
    claim = branch.sign(BOB, ClaimJob(compute_tx_id(post)), fee=5000)
    late = branch.sign(ALICE, ClaimJob(compute_tx_id(post)), ahead=1, fee=400)
    pool = fill(ledger, post, claim, late)
    template = make(ledger, pool)
    assert template.transactions == (post, claim)
    assert [(refusal.id, refusal.code) for refusal in template.refusals] == [(compute_tx_id(late), "job-not-open")]
    feed(ledger, [finish(template)])
    assert ledger.view.state.get_job(JobId(compute_tx_id(post))).state is JobState.CLAIMED


def grow_claimed_job(branch: Branch) -> JobId:
    post = branch.sign(ALICE, make_post(branch.height + 1), fee=1000)
    branch.grow(post)
    branch.grow(branch.sign(BOB, ClaimJob(compute_tx_id(post)), fee=1000))
    return JobId(compute_tx_id(post))


def test_results_wrong_and_unchecked(branch: Branch, ledger: Ledger) -> None:
    job = grow_claimed_job(branch)
    feed(ledger, branch.blocks)
    result = branch.sign(BOB, SubmitResult(job, make_result_ref()), fee=1000)
    pool = fill(ledger, result)
    branch.products.missing.add(make_result_ref().id)
    assert make(ledger, pool).transactions == ()
    assert pool.has(compute_tx_id(result)), "it may be right once the matrices are here"
    branch.products.missing.clear()
    assert make(ledger, pool).transactions == (result,)
    branch.products.wrong.add(make_result_ref().id)
    assert make(ledger, pool).transactions == ()
    assert not pool.has(compute_tx_id(result)), "a wrong one never will"


def test_what_has_no_room_in_this_block_waits_for_the_next(tmp_path: Path) -> None:
    """There is room for two of three transactions; the cheapest stays in the pool and is not counted as refused."""
    branch = Branch(msgspec.structs.replace(EASY, max_block_cost_us=550))
    ledger = branch.open_ledger(tmp_path)
    orders = [branch.pay(key, CAROL.address, fee=fee) for key, fee in ((ALICE, 900), (BOB, 800))]
    orders.append(branch.pay(ALICE, CAROL.address, fee=700, ahead=1))
    pool = fill(ledger, *orders)
    made = finish(make(ledger, pool))
    assert made.block.transactions == tuple(orders[:2])
    assert pool.has(compute_tx_id(orders[2]))
    feed(ledger, [made])
    pool.on_connected(made.block)
    assert make(ledger, pool).transactions == (orders[2],)
    ledger.close()


def test_results_are_taken_while_their_matrices_fit(tmp_path: Path) -> None:
    most = 12 * 16_384  # of one job
    branch = Branch(msgspec.structs.replace(EASY, max_checked_block_bytes=most, max_checked_bytes=most))
    ledger = branch.open_ledger(tmp_path)
    jobs = [grow_claimed_job(branch) for _ in range(2)]
    feed(ledger, branch.blocks)
    results = [
        branch.sign(BOB, SubmitResult(job, make_result_ref(tag=n)), fee=1000, ahead=n) for n, job in enumerate(jobs)
    ]
    pool = fill(ledger, *results)
    made = finish(make(ledger, pool))
    assert made.block.transactions == (results[0],)
    feed(ledger, [made])
    pool.on_connected(made.block)
    assert make(ledger, pool).transactions == (results[1],)
    ledger.close()
