"""A node that votes: registers by itself, finalizes its chain, and never signs twice what may be signed once."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from inos.agents.voter.bonds import BondLimits
from inos.agents.voter.journal import Journal, Signed
from inos.agents.voter.voter import Voter, find_duty, make_signed
from inos.core.errors import NodeError
from inos.core.node_core import NodeCore
from inos.primitives.bls import compute_secret, get_bls
from inos.primitives.units import Nano
from inos.primitives.votes import Checkpoint, Link, Vote, compute_vote_hash, make_possession_message

SECRET = compute_secret(b"\5" * 32)
BOND = Nano(10**9)


@pytest.fixture
def quick(lab):  # type: ignore[no-untyped-def]
    """Return parameters with epochs of 4 blocks."""
    lab.network = replace(lab.network, params=replace(lab.network.params, epoch_blocks=4))
    return lab


@contextmanager
def make_voter(
    core: NodeCore, path: Path, account: bytes | None, bond: Nano = BOND, most: Nano = BOND
) -> Iterator[Voter]:
    key = get_bls().compute_public_key(SECRET)
    with Journal(path / "voter.journal", key, core.genesis_id, lock_dir=path) as journal:
        yield Voter(core, get_bls(), SECRET, journal, account, BondLimits(bond, most))


async def grow(lab, core: NodeCore, voter: Voter | None, height: int) -> None:  # type: ignore[no-untyped-def]
    """Let Alice mine, and the voter look at every tip."""
    while core.ledger.tip.header.height < height:
        await lab.extend(core, beneficiary=lab.alice.address)
        if voter is not None:
            await voter._step()


async def test_a_voter_registers_by_itself_and_finalizes_its_chain(quick, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    core = quick.open("a")
    with make_voter(core, tmp_path, quick.alice.secret) as voter:
        await grow(quick, core, voter, 16)
        status = voter.get_status()
        assert (status.is_registered, status.bond, status.address) == (True, BOND, quick.alice.address)
        assert status.mined > 0
        assert status.weight == min(status.mined, BOND * core.params.bond_leverage)
        assert status.last_error == ""
        assert core.ledger.final.header.height == 8
        assert core.ledger.get_justified_height() == 12
    lines = (tmp_path / "voter.journal").read_text().splitlines()
    assert len(lines) - 1 == status.votes_sent == 2


async def test_a_node_without_an_account_says_how_to_register(quick, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    core = quick.open("a")
    with make_voter(core, tmp_path, None) as voter:
        with pytest.raises(NodeError) as caught:
            await voter.register(BOND)
        assert caught.value.code == "no-account"
        payload = voter.make_registration(quick.worker.address, BOND)
        message = make_possession_message(voter.key, quick.worker.address, core.params.chain_id)
        assert get_bls().is_possession_proven(voter.key, message, payload.proof)


async def test_a_journal_that_knows_another_vote_is_obeyed(quick, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    core = quick.open("a")
    with make_voter(core, tmp_path, quick.alice.secret) as voter:
        voter._journal.note([Signed(0, 2, "ab" * 32)])
        await grow(quick, core, voter, 11)
        assert "vote for epoch 2 already" in voter.get_status().last_error
        assert voter.get_status().votes_sent == 0
        await grow(quick, core, voter, 15)
        assert voter.get_status().last_voted_epoch == 3


async def test_votes_heard_under_the_own_key_go_into_the_journal_first(quick, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """A backup was started beside the original: its votes must not contradict those that the original sent."""
    core = quick.open("a")
    with make_voter(core, tmp_path, quick.alice.secret) as voter:
        await grow(quick, core, voter, 9)
        link = Link(Checkpoint(1, b"\1" * 32), Checkpoint(2, b"\2" * 32))
        signature = get_bls().sign(SECRET, compute_vote_hash(core.params.chain_id, link))
        await core.votes.add(Vote(link, voter.key, signature))
        await grow(quick, core, voter, 11)
        assert make_signed(core.params.chain_id, link) in voter._journal.signed
        assert voter.get_status().votes_sent == 0
        assert not core.votes.pool.get_evidence()


async def test_a_restart_votes_on_without_contradicting_itself(quick, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    core = quick.open("a")
    with make_voter(core, tmp_path, quick.alice.secret) as voter:
        await grow(quick, core, voter, 10)
        assert voter.get_status().votes_sent == 1
    with make_voter(core, tmp_path, quick.alice.secret) as again:
        await again._step()
        assert again.get_status().votes_sent == 1, "the same vote is told again, for it may have been lost"
        await grow(quick, core, again, 16)
        assert len(again._journal.signed) == 2


async def test_duty_is_the_latest_checkpoint_that_is_deep_enough(quick, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    core = quick.open("a")
    with make_voter(core, tmp_path, quick.alice.secret) as voter:
        await grow(quick, core, voter, 7)
        seen = []
        for height in range(8, 13):
            await grow(quick, core, None, height)
            link = find_duty(core.params, core.ledger.state, height, voter.key)
            seen.append(None if link is None else link.target.epoch)
        assert seen == [None, None, 2, 2, 2]
        assert find_duty(core.params, core.ledger.state, 12, b"\1" * 48) is None


async def test_a_voter_raises_its_bond_as_it_mines_and_no_further_than_allowed(quick, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    quick.network = replace(quick.network, params=replace(quick.network.params, bond_leverage=50))
    core = quick.open("a")
    with make_voter(core, tmp_path, quick.alice.secret, most=Nano(4 * BOND)) as voter:
        bonds = []
        for height in range(1, 13):
            await grow(quick, core, voter, height)
            bonds.append(voter.get_status().bond / BOND)
        # A block brings 50 credits, of which a bond of one bears 50; 3.75 are less than one order below the limit.
        assert bonds == [0, 1, 2.5, *[3.75] * 9]
        assert voter.get_status().last_error == ""


async def test_a_key_taken_back_by_its_owner_is_not_registered_again(quick, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    quick.network = replace(quick.network, params=replace(quick.network.params, unbonding_epochs=1))
    core = quick.open("a")
    with make_voter(core, tmp_path, quick.alice.secret) as voter:
        await grow(quick, core, voter, 3)
        await voter.unbond()
        await grow(quick, core, voter, 12)
        await voter.withdraw()
        await grow(quick, core, voter, 15)
        assert not voter.get_status().is_registered
        assert not core.mempool.list_ids()
        await voter.register(BOND)
        await grow(quick, core, voter, 16)
        assert voter.get_status().is_registered, "but it can be, when it is told to"
