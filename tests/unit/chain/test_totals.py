"""Tests the running totals of blocks against sums over the blocks' own stats."""

import random
from pathlib import Path

from inos.chain.totals import Totals, add_block
from inos.consensus.execution import BlockStats
from inos.consensus.records import JobState
from support.chain_maker import Branch, feed, grow_at_random

CLOSED = (JobState.SETTLED, JobState.CANCELLED, JobState.UNDECIDED)


def test_totals_are_the_sums_of_all_blocks_and_tell_what_is_open(tmp_path: Path) -> None:
    branch, rng = Branch(), random.Random(5)
    ledger = branch.open_ledger(tmp_path)
    stats: list[BlockStats] = []
    closed = 0
    for _ in range(40):
        made = grow_at_random(branch, rng)
        feed(ledger, [made])
        reader = ledger.view.reader
        found, totals = reader.get_block_stats(made.id), reader.get_totals(made.id)
        assert found is not None
        assert totals is not None
        stats.append(found)
        jobs = [job for _, job in reader.list_jobs(limit=1000)]
        is_open = [job for job in jobs if job.state not in CLOSED]
        assert totals.jobs_posted - totals.jobs_closed == len(is_open)
        assert totals.tickets_posted - totals.tickets_closed == sum(job.work.tickets for job in is_open)
        assert totals.jobs_settled == sum(len(each.settled) for each in stats)
        for name in ("tickets_posted", "tickets_settled", "subsidy", "fees", "burned", "settled_burn"):
            assert getattr(totals, name) == sum(getattr(each, name) for each in stats)
        assert totals.get_weight() == sum(each.weight for each in stats)
        assert totals.supply == found.supply
        closed += totals.jobs_closed
    assert closed > 0
    assert totals.transactions == sum(len(made.block.transactions) for made in branch.blocks)
    assert ledger.view.reader.get_totals(ledger.view.reader.get_block_id(0) or made.id) is None
    ledger.close()


def test_a_weight_beyond_64_bits_is_kept() -> None:
    stats = BlockStats(0, 0, 0, 0, 0, 0, 0, (), 2**63, 0, 7)
    totals = Totals()
    for _ in range(5):
        totals = add_block(totals, 1, stats, ())
    assert totals.get_weight() == 5 * 2**63
    assert (totals.transactions, totals.supply) == (5, 7)
