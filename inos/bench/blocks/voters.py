"""Voters, committees and juries."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from inos.bench.blocks.jobs import deliver_optimistic
from inos.bench.blocks.workshop import Person, Workshop
from inos.bench.errors import BenchError
from inos.consensus.finality import compute_span, get_voting_committee
from inos.primitives.bls import get_bls
from inos.primitives.jury import compute_commitment, compute_payload_hash
from inos.primitives.transactions import (
    Dispute,
    JuryReveal,
    JuryVote,
    RegisterVoter,
    ReportVoter,
    Transaction,
    Verdict,
)
from inos.primitives.units import JobId
from inos.primitives.votes import (
    MAX_COMMITTEE,
    Checkpoint,
    Link,
    SignedLink,
    compute_vote_hash,
    make_possession_message,
)

SALT: Final = bytes(range(32))
NO_SIGNATURE: Final = bytes(96)


def count_members(shop: Workshop) -> int:
    """Return how many members the largest committee of the network has."""
    return min(MAX_COMMITTEE, shop.params.max_voters)


def qualify(shop: Workshop, people: Iterable[Person]) -> None:
    """Let each of them find a block, without which nobody may register."""
    for person in people:
        shop.mine(finder=person.address)


def register(shop: Workshop, people: Iterable[Person]) -> Iterator[Transaction]:
    """Yield registrations of people who have found a block."""
    bls, params = get_bls(), shop.params
    for person in people:
        key = bls.compute_public_key(person.bls_secret)
        proof = bls.prove_possession(person.bls_secret, make_possession_message(key, person.address, params.chain_id))
        yield shop.sign(person, RegisterVoter(key, proof, params.min_voter_bond))


def add_voters(shop: Workshop, number: int) -> list[Person]:
    """Make the first people voters, who find all later blocks in turn."""
    voters = list(shop.people[:number])
    qualify(shop, voters)
    shop.mine(register(shop, voters))
    shop.voters = voters
    return voters


def seat_committee(shop: Workshop) -> list[Person]:
    """Make as many voters as a committee has members, and wait until it votes."""
    voters = add_voters(shop, count_members(shop))
    for _ in range(compute_span(shop.params, 4)):
        if get_voting_committee(shop.ledger.view.state).members:
            return voters
        shop.mine()
    raise BenchError("no-committee", "the chain's voters did not become a committee")


def report(shop: Workshop, voters: Iterable[Person]) -> Iterator[Transaction]:
    """Yield reports of voters who voted twice."""
    bls, source = get_bls(), Checkpoint(1, bytes(32))
    links = [Link(source, Checkpoint(2, bytes([n]) * 32)) for n in (1, 2)]
    hashes = [compute_vote_hash(shop.params.chain_id, link) for link in links]
    payloads = (
        ReportVoter(
            bls.compute_public_key(voter.bls_secret),
            *(SignedLink(link, bls.sign(voter.bls_secret, hash)) for link, hash in zip(links, hashes, strict=True)),
        )
        for voter in voters
    )
    return shop.order(payloads)


def dispute(shop: Workshop, number: int) -> Iterator[Transaction]:
    """Yield disputes of results, which are made before."""
    return shop.order(map(Dispute, deliver_optimistic(shop, number)))


def draw_juries(shop: Workshop, number: int) -> list[JobId]:
    """Dispute results in one block, and wait until their juries are drawn."""
    orders = list(dispute(shop, number))
    shop.mine(orders)
    shop.mine_until(shop.height + 2)
    return [JobId(tx.payload.job) for tx in orders if isinstance(tx.payload, Dispute)]


def vote(shop: Workshop, jobs: Sequence[JobId], voters: Sequence[Person]) -> Iterator[Transaction]:
    """Yield each juror's commitment in each dispute."""
    bls, chain_id = get_bls(), shop.params.chain_id
    for person, job, drawn_at, key in _list_seats(shop, jobs, voters):
        commitment = compute_commitment(Verdict.RIGHT, SALT, key)
        hash = compute_payload_hash(chain_id, JuryVote(job, drawn_at, key, commitment, NO_SIGNATURE))
        yield shop.sign(person, JuryVote(job, drawn_at, key, commitment, bls.sign(person.bls_secret, hash)))


def reveal(shop: Workshop, jobs: Sequence[JobId], voters: Sequence[Person]) -> Iterator[Transaction]:
    """Yield each juror's opened verdict in each dispute."""
    bls, chain_id = get_bls(), shop.params.chain_id
    for person, job, drawn_at, key in _list_seats(shop, jobs, voters):
        hash = compute_payload_hash(chain_id, JuryReveal(job, drawn_at, key, Verdict.RIGHT, SALT, NO_SIGNATURE))
        signature = bls.sign(person.bls_secret, hash)
        yield shop.sign(person, JuryReveal(job, drawn_at, key, Verdict.RIGHT, SALT, signature))


def _list_seats(
    shop: Workshop, jobs: Sequence[JobId], voters: Sequence[Person]
) -> list[tuple[Person, JobId, int, bytes]]:
    """Return (juror, job, height of the drawing, BLS key) of each juror of each dispute."""
    people = {bytes(person.address): person for person in voters}
    state = shop.ledger.view.state
    found = [(job, state.get_dispute(job)) for job in jobs]
    return [
        (people[juror.address], job, record.drawn_at, juror.key)
        for job, record in found
        if record is not None
        for juror in record.jurors
    ]
