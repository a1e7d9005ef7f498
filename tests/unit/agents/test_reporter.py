"""Evidence of conflicting votes is sent once, and burns the bond."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest
from msgspec.structs import replace

from inos.agents.reporter import Reporter
from inos.agents.voter.bonds import BondLimits
from inos.agents.voter.journal import Journal
from inos.agents.voter.voter import Voter
from inos.core.node_core import NodeCore
from inos.primitives.bls import compute_secret, get_bls
from inos.primitives.transactions import ReportVoter, Transfer, compute_tx_id
from inos.primitives.units import Nano
from inos.primitives.votes import Checkpoint, Link, Vote, compute_vote_hash
from support.core_lab import FEE

SECRET = compute_secret(b"\5" * 32)


BOND = Nano(10**9)


@pytest.fixture
def quick(lab):  # type: ignore[no-untyped-def]
    """Return parameters with epochs of 4 blocks."""
    lab.network = replace(lab.network, params=replace(lab.network.params, epoch_blocks=4))
    return lab


@contextmanager
def make_voter(core: NodeCore, path: Path, account: bytes | None, bond: Nano = BOND) -> Iterator[Voter]:
    key = get_bls().compute_public_key(SECRET)
    with Journal(path / "voter.journal", key, core.genesis_id, lock_dir=path) as journal:
        yield Voter(core, get_bls(), SECRET, journal, account, BondLimits(bond, bond))


async def grow(lab, core: NodeCore, voter: Voter | None, height: int) -> None:  # type: ignore[no-untyped-def]
    """Let Alice mine, and the voter look at every tip."""
    while core.ledger.tip.header.height < height:
        await lab.extend(core, beneficiary=lab.alice.address)
        if voter is not None:
            await voter._step()


async def test_evidence_is_sent_by_itself_and_burns_the_bond(quick, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    core = quick.open("a")
    with make_voter(core, tmp_path, quick.alice.secret) as voter:
        await grow(quick, core, voter, 9)
    for tag in (b"\1", b"\2"):
        link = Link(Checkpoint(1, b"\1" * 32), Checkpoint(2, tag * 32))
        signature = get_bls().sign(SECRET, compute_vote_hash(core.params.chain_id, link))
        await core.votes.add(Vote(link, voter.key, signature))
    (evidence,) = core.votes.pool.get_evidence()
    reporter = Reporter(core, quick.worker.secret, Random(1))
    await reporter._report_if_due(evidence)
    quick.clock.now += 10_000
    await reporter._report_if_due(evidence)
    await reporter._report_if_due(evidence)
    pool = [core.mempool.get(tx_id) for tx_id in core.mempool.list_ids()]
    (report,) = [tx for tx in pool if tx is not None and isinstance(tx.payload, ReportVoter)]
    before = core.ledger.state.get_account(quick.worker.address).balance
    await grow(quick, core, None, 10)
    assert core.ledger.state.get_voter(quick.alice.address) is None
    assert core.ledger.state.get_account(quick.worker.address).balance == before + BOND // 10 - report.fee
    await reporter._report_if_due(evidence)
    assert not core.mempool.list_ids()


async def test_a_report_that_came_too_late_holds_nothing_up(quick, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """Another account copies the evidence and is first: the slower account's next transactions continue without
    a gap.
    """
    core = quick.open("a")
    with make_voter(core, tmp_path, quick.alice.secret) as voter:
        await grow(quick, core, voter, 9)
        await quick.extend(core)  # the copier's own block pays its fee
    for tag in (b"\1", b"\2"):
        link = Link(Checkpoint(1, b"\1" * 32), Checkpoint(2, tag * 32))
        signature = get_bls().sign(SECRET, compute_vote_hash(core.params.chain_id, link))
        await core.votes.add(Vote(link, voter.key, signature))
    (evidence,) = core.votes.pool.get_evidence()
    reporter = Reporter(core, quick.worker.secret, Random(1))
    await reporter._report_if_due(evidence)
    quick.clock.now += 10_000
    await reporter._report_if_due(evidence)
    (late,) = core.mempool.list_ids()
    after = quick.sign(quick.worker, 1, Transfer(quick.alice.address, 5))
    await core.transactions.add(after)
    slower = core.mempool.get(late)
    assert slower is not None
    await core.transactions.add(quick.sign(quick.miner, 0, slower.payload, fee=10 * FEE))
    await grow(quick, core, None, 11)
    assert core.ledger.state.get_voter(quick.alice.address) is None
    assert core.mempool.list_ids() == [compute_tx_id(after)]
    await reporter._report_if_due(evidence)
    await grow(quick, core, None, 12)
    assert not core.mempool.list_ids()
    assert core.ledger.state.get_account(quick.worker.address).nonce == 2
