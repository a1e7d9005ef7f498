"""Attacks on finality, played on the presets' rules; docs/security.md has a row for each."""

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from inos.consensus.finality import compute_mined
from inos.consensus.finality.epochs import STALE_EPOCHS
from inos.consensus.params import Params
from inos.consensus.records import Finality
from inos.genesis import load_network
from inos.primitives.transactions import (
    ClaimJob,
    JobMode,
    RegisterVoter,
    ReportVoter,
    SubmitResult,
    UnbondVoter,
    WithdrawBond,
    compute_tx_id,
)
from inos.primitives.units import Height, Nano
from inos.primitives.votes import Checkpoint, Link, SignedLink
from simulation.finality_runs import run_deserted, run_private
from support.consensus_lab import (
    ALICE,
    BOB,
    CAROL,
    CHAIN_ID,
    MINER,
    Key,
    Lab,
    get_code,
    make_operand,
    make_post,
    make_result,
)
from support.voters import get_bls_key, make_aggregate, prove, sign_link

CREDIT = 10**9
NAMES = {ALICE: "alice", BOB: "bob", CAROL: "carol", MINER: "miner"}
FUNDS = {key.address: Nano(100_000 * CREDIT) for key in NAMES}


def make_params(**changes: int) -> Params:
    """Return the testnet's rules with short epochs, of which the first can be voted on."""
    testnet = load_network("testnet").params
    return replace(testnet, chain_id=CHAIN_ID, **{"epoch_blocks": 4, "finality_start": 4, **changes})


class Chain(Lab):
    """A chain on which some people vote whenever they can."""

    def __init__(self, params: Params | None = None) -> None:
        super().__init__(make_params() if params is None else params, FUNDS)

    @property
    def finality(self) -> Finality:
        finality = self.state.get_finality()
        assert finality is not None
        return finality

    def register(self, key: Key, bond: int, *, miner: Key) -> None:
        name = NAMES[key]
        self.mine(self.sign(key, RegisterVoter(get_bls_key(name), prove(name), bond)), miner=miner.address)

    def grow(self, count: int, miners: Sequence[Key], voters: Sequence[Key] = ()) -> None:
        """Add blocks by `miners` in turn, with the votes of `voters` whenever they are a quorum."""
        for _ in range(count):
            miner = miners[self.height % len(miners)]
            self.mine(miner=miner.address, aggregate=self.vote(voters))

    def vote(self, voters: Sequence[Key]):  # type: ignore[no-untyped-def]
        if not voters or not self.height or not self.finality.ballots:
            return None
        seats = {member.address for member in self.state.get_committee(self.finality.ballots[-1].committee).members}
        names = [NAMES[key] for key in voters if key.address in seats]
        if not names:
            return None
        aggregate = make_aggregate(self.state, names)
        return None if get_code(lambda: self.check(self.make_block(aggregate=aggregate))) else aggregate

    def weigh(self, key: Key) -> int:
        """Return the people's weight in the committee chosen last."""
        members = self.state.get_committee(self.finality.committees[-1]).members
        return next((member.weight for member in members if member.address == key.address), 0)

    def mined(self, key: Key) -> int:
        return compute_mined(self.params, self.state.get_account(key.address), Height(self.height))


def test_a_committee_cannot_be_bought_with_jobs() -> None:
    """In protocol 1 a job of zeros for 34 credits held 99 % of the committee, and undid 600 blocks."""
    chain = Chain()
    chain.grow(6, [ALICE, BOB])
    chain.mine(miner=CAROL.address)
    for key in (ALICE, BOB, CAROL):
        chain.register(key, 20_000 * CREDIT, miner=ALICE)
    chain.grow(8, [ALICE, BOB], [ALICE, BOB])
    post = make_post(
        chain.height + 1,
        x=make_operand(1 << 19, 4096, 1),
        w=make_operand(48, 4096, 2),
        mode=JobMode.OPTIMISTIC,
        reward=1,
        bond=200 * CREDIT,
        claim_window=20,
        deadline=chain.height + 50,
        max_burn=10_000 * CREDIT,
    )
    bought = chain.sign(CAROL, post)
    chain.mine(bought, miner=ALICE.address)
    job = compute_tx_id(bought)
    chain.mine(chain.sign(CAROL, ClaimJob(job)), miner=ALICE.address)
    chain.mine(chain.sign(CAROL, SubmitResult(job, make_result(1 << 19, 48))), miner=ALICE.address)
    chain.grow(chain.params.challenge_window + 8, [ALICE, BOB], [ALICE, BOB])
    assert chain.state.get_account(CAROL.address).reputation > 10 * CREDIT, "the job was settled"
    assert chain.weigh(CAROL) == chain.mined(CAROL) == 50 * CREDIT, "the one block it found, and nothing else"
    before = chain.finality.finalized.epoch
    chain.grow(12, [ALICE, BOB], [CAROL])
    assert chain.finality.finalized.epoch == before
    chain.grow(12, [ALICE, BOB], [ALICE, BOB])
    assert chain.finality.finalized.epoch > before


def test_whoever_registers_first_finalizes_nothing_alone() -> None:
    """In protocol 1 one bond and 0.7 % of the mining finalized alone as long as no other account registered."""
    chain = Chain()
    chain.mine(miner=CAROL.address)
    chain.register(CAROL, 100 * CREDIT, miner=ALICE)
    chain.grow(140, [ALICE, BOB], [CAROL])
    assert chain.finality.justified.epoch == 0
    assert chain.finality.ballots == (), "its committee votes on nothing, and seats no jurors"
    for key in (ALICE, BOB):
        chain.register(key, 1000 * CREDIT, miner=key)
    chain.grow(12, [ALICE, BOB], [ALICE, BOB])
    assert chain.finality.finalized.epoch > 0, "others register later, and it can hold up nothing"


def test_a_copied_proof_of_possession_registers_nothing() -> None:
    """In protocol 1 an attacker that saw a RegisterVoter in the pool could take its key away for ever."""
    chain = Chain()
    chain.grow(4, [ALICE, BOB])
    mine = chain.sign(ALICE, RegisterVoter(get_bls_key("alice"), prove("alice"), 100 * CREDIT))
    copy = chain.sign(BOB, mine.payload, fee=1000)
    assert get_code(lambda: chain.check(chain.make_block([copy]))) == "bad-proof-of-possession"
    chain.mine(mine)
    owner = chain.state.get_key_owner(get_bls_key("alice"))
    assert owner is not None
    assert owner.owner == ALICE.address


@pytest.mark.parametrize("name", ["devnet", "testnet"])
def test_bonds_outlive_every_committee_of_the_presets(name: str) -> None:
    assert load_network(name).params.unbonding_epochs >= STALE_EPOCHS + 2 + 2


def test_members_who_leave_can_be_slashed_as_long_as_their_committee_votes() -> None:
    """On protocol 1's devnet members signed on both sides of a division after their bonds were withdrawn."""
    chain = Chain(make_params(unbonding_epochs=STALE_EPOCHS + 4))
    people = (ALICE, BOB, CAROL)
    chain.grow(6, people)
    for key in people:
        chain.register(key, 1000 * CREDIT, miner=key)
    chain.grow(20, people, people)
    final = chain.finality.finalized.epoch
    assert final > 0
    chain.mine(*(chain.sign(key, UnbondVoter()) for key in people), miner=ALICE.address)
    last_seat = 0
    while chain.finality.ballots or not last_seat:
        if chain.finality.ballots:
            last_seat = chain.height
        chain.grow(1, people)
        for key in people:
            voter = chain.state.get_voter(key.address)
            assert voter is not None
            assert voter.bond == 1000 * CREDIT
            assert (
                get_code(lambda k=key: chain.check(chain.make_block([chain.sign(k, WithdrawBond())]))) == "still-bonded"
            )  # type: ignore[misc]
        assert chain.height < 400
    assert last_seat > 4 * (final + STALE_EPOCHS), "the committee could vote through the whole stall"
    links = [Link(Checkpoint(1, b"\1" * 32), Checkpoint(final + STALE_EPOCHS, bytes([tag]) * 32)) for tag in (1, 2)]
    chain.mine(chain.sign(MINER, make_report("bob", links)))
    assert chain.state.get_account(BOB.address).bonded == 0


def make_report(who: str, links: Sequence[Link]) -> ReportVoter:
    return ReportVoter(get_bls_key(who), *(SignedLink(link, sign_link(who, link)) for link in links))


def test_copied_evidence_pays_one_reporter_and_saves_nothing_of_the_bond() -> None:
    """Evidence is public: a third party, or the offender itself, may be first, but nine tenths of the bond are burned
    in any case.
    """
    links = [Link(Checkpoint(1, b"\1" * 32), Checkpoint(2, bytes([tag]) * 32)) for tag in (1, 2)]
    for first, second in ((MINER, CAROL), (ALICE, CAROL)):
        chain = Chain()
        chain.grow(4, [ALICE, BOB])
        chain.register(ALICE, 1000 * CREDIT, miner=BOB)
        burned, late = chain.state.get_market().burned, chain.state.get_account(second.address)
        chain.mine(chain.sign(first, make_report("alice", links), fee=0), miner=BOB.address)
        assert chain.state.get_market().burned - burned == 900 * CREDIT
        assert chain.mined(ALICE) == 0
        report = chain.sign(second, make_report("alice", links))
        assert get_code(lambda c=chain, r=report: c.check(c.make_block([r]))) == "unknown-voter"  # type: ignore[misc]
        assert chain.state.get_account(second.address) == late, "who comes too late pays nothing"


def test_no_bond_and_no_registration_moves_a_committee_at_once() -> None:
    """Old mining under a new bond enters slowly: each committee changes by at most a sixty-fourth of the network's
    mining.
    """
    chain = Chain()
    people = (ALICE, BOB)
    chain.grow(2, people)
    for key in people:
        chain.register(key, 5000 * CREDIT, miner=key)
    chain.grow(16, people, people)
    assert chain.finality.finalized.epoch > 0
    chain.grow(40, (ALICE, CAROL, BOB, CAROL), people)  # carol finds half of the blocks, and is no voter
    chain.register(CAROL, 50_000 * CREDIT, miner=CAROL)
    assert chain.mined(CAROL) > chain.mined(ALICE)
    before = chain.weigh(CAROL)
    for epoch in range(1, 9):
        chain.grow(4, people, people)
        room = chain.state.get_network_mined().mined // 64
        assert 0 < chain.weigh(CAROL) - before <= room
        before = chain.weigh(CAROL)
        assert 64 * before <= epoch * chain.state.get_network_mined().mined
    assert 2 * before < chain.mined(CAROL), "it has not half of its weight after eight epochs"


@pytest.mark.parametrize("seed", range(3))
def test_most_of_the_hash_rate_stops_finality_and_undoes_nothing(seed: int) -> None:
    """Six tenths leave a checkpoint that they justified; `finish` in the run judges every node."""
    run = run_deserted(seed)
    assert not run.has_conflict()
    assert run.get_best_final() <= run.left_at


@pytest.mark.parametrize("seed", range(3))
def test_a_private_branch_from_genesis_convinces_nobody(seed: int) -> None:
    """At the least difficulty the branch is many times as long, and final for nodes that receive nothing else."""
    run = run_private(seed)
    assert not run.has_conflict()
    assert run.get_best_final() > 0
