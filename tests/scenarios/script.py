"""A small language for scripted chains: blocks of transactions, and the expected outcome of each.

Scenario("title", [
    block(tx("alice", transfer("bob", 5))),                  # valid: it is connected
    block(tx("alice", post(), name="j1")),                   # later orders call this job "j1"
    block(tx("bob", result("j1")), expect="job-not-claimed"),  # breaks this rule, and is left out
    block(header={"chain_id": 1}, expect="wrong-chain-id"),  # forged fields, or a forged `body`
    Skip(3),                                                 # empty blocks for nobody
    Skip(4, ("alice", "bob")),                               # empty blocks that these mine in turn
    Check(balance={"bob": 500_005}),                         # what the state must hold now
])
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec
from msgspec import Struct

from inos.consensus.params import Params
from inos.primitives.blocks import Block
from inos.primitives.matrices import MatrixRef
from inos.primitives.transactions import (
    CancelJob,
    ClaimJob,
    Payload,
    RegisterVoter,
    ReportVoter,
    SubmitResult,
    Transaction,
    Transfer,
    UnbondVoter,
    WithdrawBond,
    compute_tx_id,
)
from inos.primitives.units import JobId
from inos.primitives.votes import Aggregate, Link, SignedLink
from support.consensus_lab import NOBODY, PARAMS, PEOPLE, Lab, edit, get_code, make_post, make_result
from support.tiles import make_challenge
from support.voters import get_bls_key, prove, sign_link


class Stage:
    """The lab while a script plays on it, with the jobs that the script named."""

    def __init__(self, params: Params = PARAMS) -> None:
        self.lab = Lab(params)
        self.jobs: dict[str, JobId] = {}
        self.signing = ""
        """The person whose transaction is being made."""
        self.used: dict[str, int] = {}
        """Number of transactions per person in the block being made."""

    def get_job_id(self, name: str) -> JobId:
        """Return a job's id; a name that was never posted has the id of zeros."""
        return self.jobs.get(name, JobId(bytes(32)))


Order: TypeAlias = Callable[[Stage], Transaction]
MakePayload: TypeAlias = Callable[[Stage], Payload]
Votes: TypeAlias = Callable[[Stage], Aggregate]
Body: TypeAlias = Callable[[tuple[Transaction, ...]], tuple[Transaction, ...]]


class B(Struct, frozen=True):
    """A block; `expect` is the code of the rule that it breaks, or "" if it is valid."""

    orders: tuple[Order, ...]
    expect: str
    miner: str
    header: Mapping[str, Any]
    body: Body | None
    votes: Votes | None


class Skip(Struct, frozen=True):
    """A number of empty blocks."""

    blocks: int
    miners: tuple[str, ...] = ()
    """The people who mine them in turn, or nobody."""


class Check(Struct, frozen=True, kw_only=True):
    """Expected balances, bonds, reputation and mined figures as the records have them."""

    balance: Mapping[str, int] = {}
    bonded: Mapping[str, int] = {}
    reputation: Mapping[str, int] = {}
    mined: Mapping[str, int] = {}
    market: Mapping[str, int] = {}
    jobs: Mapping[str, str] = {}
    finality: Mapping[str, int] = {}
    """Epochs of "justified" and "finalized"."""


Step: TypeAlias = B | Skip | Check


class Scenario(Struct, frozen=True):
    title: str
    steps: Sequence[Step]


def block(
    *orders: Order,
    expect: str = "",
    miner: str = "miner",
    header: Mapping[str, Any] | None = None,
    body: Body | None = None,
    votes: Votes | None = None,
) -> B:
    return B(orders, expect, miner, header or {}, body, votes)


def tx(who: str, make: MakePayload, *, fee: int = 1, ahead: int = 0, name: str = "") -> Order:
    """Return a transaction of `who` with the next nonce, or one `ahead`; a job that it posts is called `name`
    afterwards.
    """

    def sign(stage: Stage) -> Transaction:
        count = stage.used.get(who, 0)
        stage.used[who] = count + 1
        stage.signing = who
        signed = stage.lab.sign(PEOPLE[who], make(stage), fee=fee, ahead=count + ahead)
        if name:
            stage.jobs[name] = JobId(compute_tx_id(signed))
        return signed

    return sign


def transfer(to: str, amount: int) -> MakePayload:
    return lambda stage: Transfer(PEOPLE[to].address, amount)


def post(**changes: Any) -> MakePayload:
    """Return the payload that posts the lab's standard job; `deadline` is counted in blocks from the posting block."""

    def make(stage: Stage) -> Payload:
        height = stage.lab.height + 1
        return make_post(height, **{**changes, "deadline": height + changes.get("deadline", 10)})

    return make


def claim(job: str) -> MakePayload:
    return lambda stage: ClaimJob(stage.get_job_id(job))


def result(job: str, y: MatrixRef | None = None) -> MakePayload:
    return lambda stage: SubmitResult(stage.get_job_id(job), make_result(32, 48) if y is None else y)


def cancel(job: str) -> MakePayload:
    return lambda stage: CancelJob(stage.get_job_id(job))


def register(bond: int = 1000, *, key: str = "", proof: str = "") -> MakePayload:
    """Return a registration with the sender's BLS key and proof, unless `key` or `proof` names another; "bob>carol" is
    Bob's key for Carol.
    """
    return lambda stage: RegisterVoter(
        get_bls_key(key or stage.signing), _prove(proof or key or stage.signing, stage.signing), bond
    )


def _prove(proof: str, sender: str) -> bytes:
    who, _, owner = proof.partition(">")
    return prove(who, owner or sender)


def unbond() -> MakePayload:
    return lambda stage: UnbondVoter()


def withdraw() -> MakePayload:
    return lambda stage: WithdrawBond()


def report(who: str, first: Link, second: Link, *, signer: str = "") -> MakePayload:
    def make(stage: Stage) -> Payload:
        halves = [SignedLink(link, sign_link(signer or who, link)) for link in (first, second)]
        return ReportVoter(get_bls_key(who), *halves)

    return make


def challenge(job: str, **changes: Any) -> MakePayload:
    """Return a challenge of the wrong tile of support.tiles, with changes: `i`, `j`, `y` before it is opened, other
    fields after.
    """

    def make(stage: Stage) -> Payload:
        opened = {name: changes.pop(name) for name in ("i", "j", "y") if name in changes}
        return msgspec.structs.replace(make_challenge(stage.get_job_id(job), **opened), **changes)

    return make


def play(scenario: Scenario, prepare: Callable[[Lab], None] = lambda lab: None, params: Params = PARAMS) -> None:
    """Run a script; an error names the step in which it happens."""
    stage = Stage(params)
    prepare(stage.lab)
    for number, step in enumerate(scenario.steps):
        place = f"{scenario.title}, step {number}, height {stage.lab.height}"
        match step:
            case Skip(blocks, miners):
                for number in range(blocks):
                    stage.lab.mine(miner=PEOPLE[miners[number % len(miners)]].address if miners else NOBODY)
            case Check():
                _check(stage, step, place)
            case B():
                _play_block(stage, step, place)


def _play_block(stage: Stage, step: B, place: str) -> None:
    stage.used = {}
    transactions = [order(stage) for order in step.orders]
    votes = None if step.votes is None else step.votes(stage)
    address = PEOPLE[step.miner].address
    made = stage.lab.make_block(transactions, miner=address, aggregate=votes)
    made = edit(made, **step.header)
    if step.body is not None:
        made = Block(made.header, step.body(made.transactions), made.aggregate)
    before = dict(stage.lab.records.all)
    code = get_code(lambda: stage.lab.connect(made))
    assert code == step.expect, f"{place}: expected {step.expect or 'a valid block'}, got {code or 'a valid block'}"
    assert not step.expect or stage.lab.records.all == before, f"{place}: a refused block changed the state"


def _check(stage: Stage, step: Check, place: str) -> None:
    for field in ("balance", "bonded", "reputation", "mined"):
        wanted: Mapping[str, int] = getattr(step, field)
        got = {who: getattr(stage.lab.state.get_account(PEOPLE[who].address), field) for who in wanted}
        assert got == wanted, f"{place}: {field}"
    market = stage.lab.state.get_market()
    assert {name: getattr(market, name) for name in step.market} == step.market, f"{place}: market"
    finality = stage.lab.state.get_finality()
    assert {name: getattr(finality, name).epoch for name in step.finality} == step.finality, f"{place}: finality"
    for name, state in step.jobs.items():
        job = stage.lab.state.get_job(stage.jobs[name])
        assert job is not None
        assert job.state.name.lower() == state, f"{place}: job {name}"
