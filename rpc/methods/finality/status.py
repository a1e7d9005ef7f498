"""finality_*: what is final, who votes on it, and this node's own voter."""

from typing import Annotated

from pydantic import Field

from inos.consensus.finality import (
    compute_epoch,
    compute_height,
    compute_network_mined,
    compute_passed_epoch,
    compute_quorum,
    compute_weight,
)
from inos.consensus.records import Ballot
from inos.primitives.units import Address, Height, Nano
from inos.rpc import errors
from inos.rpc.errors import RpcError
from inos.rpc.method import Example, method
from inos.rpc.ports import NodePort, VoterControl
from inos.rpc.render import make_renderer, read_address, render_checkpoint
from inos.rpc.schemas import (
    AddressText,
    CheckpointModel,
    Count,
    HeightNumber,
    Hex32,
    Model,
    NanoText,
    NoParams,
    NumberText,
)


class BallotModel(Model):
    """A checkpoint that is being voted on."""

    source: CheckpointModel
    target: CheckpointModel
    committee: Annotated[Count, Field(description="Epoch whose committee votes.")]
    members: Count
    votes: Annotated[Count, Field(description="Votes this node has heard.")]
    pot: Annotated[NanoText, Field(description="What is paid, by weight, to those who justify the target.")]


class OwnVoterModel(Model):
    """The voter of a node started with --vote."""

    key: Annotated[str, Field(description="BLS public key, 96 hex digits.")]
    address: Annotated[AddressText | None, Field(description="Whose voter it is, or would be; null where nobody's.")]
    is_registered: bool
    bond: NanoText
    leaves_at: Annotated[HeightNumber, Field(description="Height from which the bond can be withdrawn; 0: it votes.")]
    mined: Annotated[NanoText, Field(description="Subsidies of blocks its account found, halved up to the tip.")]
    weight: Annotated[NumberText, Field(description="Of what was mined, as much as the bond bears.")]
    votes: Annotated[Count, Field(description="Sent since the node was started.")]
    last_epoch: Count
    last_error: str


class FinalityModel(Model):
    """Where finality stands at the tip."""

    epoch: Annotated[Count, Field(description="Of the tip; epoch e ends at height e times epoch_blocks.")]
    epoch_blocks: Count
    final: Annotated[CheckpointModel, Field(description="No reorganisation passes it.")]
    final_height: HeightNumber
    justified: CheckpointModel
    justified_height: HeightNumber
    behind: Annotated[Count, Field(description="Blocks from the last final one to the tip.")]
    ballots: list[BallotModel]
    voters: Annotated[Count, Field(description="Accounts with a voter's bond, whether in a committee or not.")]
    mined: Annotated[NanoText, Field(description="Subsidies of all blocks, halvings up to the tip done.")]
    caught: Annotated[list[str], Field(description="BLS keys this node has evidence against.")]
    voter: Annotated[OwnVoterModel | None, Field(description="Null where the node does not vote.")]


class CommitteeParams(Model):
    epoch: Annotated[int | None, Field(ge=0, description="Whose committee; without it the one that votes now.")] = None


class MemberModel(Model):
    address: AddressText
    key: str
    weight: NumberText
    mined: Annotated[NanoText, Field(description="Its mined figure when the committee was chosen.")]


class CommitteeModel(Model):
    """A committee, the heaviest member first."""

    epoch: Annotated[Count, Field(description="Epoch at whose checkpoint it was chosen.")]
    weight: Annotated[NumberText, Field(description="Of all.")]
    mined: Annotated[NanoText, Field(description="By the whole network, when the committee was chosen.")]
    quorum: Annotated[
        NumberText, Field(description="Least weight that justifies: over two thirds of it, and over half of mined.")
    ]
    members: list[MemberModel]


class RegisterParams(Model):
    bond: Annotated[NanoText | None, Field(description="Nano; the network's least without it.")] = None
    send: Annotated[bool, Field(description="False: only key and proof, for a wallet to register with.")] = True
    address: Annotated[
        AddressText | None, Field(description="Whose proof is made; the node's own account's without it.")
    ] = None


class Registration(Model):
    """Key and proof, and the transaction where the node sent it."""

    key: str
    proof: Annotated[str, Field(description="Good for this address alone.")]
    bond: NanoText
    address: AddressText
    id: Annotated[Hex32 | None, Field(description="Of the registration this node sent; null where it sent none.")]


class Sent(Model):
    id: Hex32


@method("finality_status", examples=(Example("what is final", {}),))
async def finality_status(node: NodePort, params: NoParams) -> FinalityModel:
    """The last final and justified blocks, what is voted on, and this node's own voter."""
    ledger, state = node.ledger, node.ledger.state
    tip, final = ledger.tip, ledger.final
    finality = state.get_finality()
    justified = None if finality is None else finality.justified
    ballots = () if finality is None else finality.ballots
    genesis = CheckpointModel(epoch=0, id=node.genesis_id.hex())
    return FinalityModel(
        epoch=compute_epoch(node.params, tip.header.height),
        epoch_blocks=node.params.epoch_blocks,
        final=CheckpointModel(epoch=compute_passed_epoch(node.params, final.header.height), id=final.id.hex()),
        final_height=final.header.height,
        justified=genesis if justified is None else render_checkpoint(justified),
        justified_height=0 if justified is None else compute_height(node.params, justified.epoch),
        behind=tip.header.height - final.header.height,
        ballots=[_render_ballot(node, ballot) for ballot in ballots],
        voters=state.get_voter_count().count,
        mined=str(compute_network_mined(node.params, state, Height(tip.header.height))),
        caught=[key.hex() for key in node.votes.get_caught()],
        voter=None if node.voter is None else _render_voter(node, node.voter),
    )


@method("finality_committee", examples=(Example("who votes now", {}),))
async def finality_committee(node: NodePort, params: CommitteeParams) -> CommitteeModel:
    """A committee with its weights."""
    epoch = _find_committee(node) if params.epoch is None else params.epoch
    finality = node.ledger.state.get_finality()
    stored = () if finality is None else finality.committees
    if params.epoch is not None and epoch not in stored:
        known = f"stored are those of {', '.join(map(str, stored)) or 'no epoch'}"
        raise RpcError(errors.NOT_FOUND, "unknown-committee", f"there is no committee of epoch {epoch}", hint=known)
    committee = node.ledger.state.get_committee(epoch)
    renderer = make_renderer(node)
    return CommitteeModel(
        epoch=epoch,
        weight=str(compute_weight(committee)),
        mined=str(committee.mined),
        quorum=str(compute_quorum(committee)),
        members=[
            MemberModel(
                address=renderer.address(each.address),
                key=each.key.hex(),
                weight=str(each.weight),
                mined=str(each.mined),
            )
            for each in committee.members
        ],
    )


@method("finality_register", is_protected=True)
async def finality_register(node: NodePort, params: RegisterParams) -> Registration:
    """Register this node's BLS key with a bond, or add to it, from the node's account; or only say key and proof."""
    voter = _get_voter(node)
    bond = Nano(node.params.min_voter_bond if params.bond is None else int(params.bond))
    address = _find_registrant(node, voter, params.address)
    payload = voter.make_registration(address, bond)
    sent = await voter.register(bond) if params.send else None
    return Registration(
        key=payload.key.hex(),
        proof=payload.proof.hex(),
        bond=str(bond),
        address=make_renderer(node).address(address),
        id=None if sent is None else sent.hex(),
    )


@method("finality_unbond", is_protected=True)
async def finality_unbond(node: NodePort, params: NoParams) -> Sent:
    """Stop being a voter, from the node's own account; the bond stays for the unbonding time."""
    return Sent(id=(await _get_voter(node).unbond()).hex())


@method("finality_withdraw", is_protected=True)
async def finality_withdraw(node: NodePort, params: NoParams) -> Sent:
    """Take the bond of the node's own account back when its time is over."""
    return Sent(id=(await _get_voter(node).withdraw()).hex())


def _get_voter(node: NodePort) -> VoterControl:
    if node.voter is None:
        raise RpcError(errors.UNAVAILABLE, "no-voter", "this node does not vote", hint="start it with --vote")
    return node.voter


def _find_registrant(node: NodePort, voter: VoterControl, given: str | None) -> Address:
    """Who is to register the node's key: the account that is named, else the node's own."""
    if given is not None:
        return read_address(node, given)
    address = voter.get_status().address
    if address is None:
        raise RpcError(
            errors.UNAVAILABLE,
            "no-account",
            "this node has no account of its own to register with",
            hint="name the account that registers the key",
        )
    return address


def _find_committee(node: NodePort) -> int:
    """The committee of the latest ballot, else the last one chosen; 0 before there is any."""
    finality = node.ledger.state.get_finality()
    if finality is None:
        return 0
    if finality.ballots:
        return finality.ballots[-1].committee
    return finality.committees[-1] if finality.committees else 0


def _render_ballot(node: NodePort, ballot: Ballot) -> BallotModel:
    return BallotModel(
        source=render_checkpoint(ballot.link.source),
        target=render_checkpoint(ballot.link.target),
        committee=ballot.committee,
        members=len(node.ledger.state.get_committee(ballot.committee).members),
        votes=node.votes.count_votes(ballot.link),
        pot=str(node.ledger.state.get_pot(ballot.link.target.epoch).amount),
    )


def _render_voter(node: NodePort, voter: VoterControl) -> OwnVoterModel:
    status = voter.get_status()
    return OwnVoterModel(
        key=status.key.hex(),
        address=None if status.address is None else make_renderer(node).address(status.address),
        is_registered=status.is_registered,
        bond=str(status.bond),
        leaves_at=status.leaves_at,
        mined=str(status.mined),
        weight=str(status.weight),
        votes=status.votes,
        last_epoch=status.last_epoch,
        last_error=status.last_error,
    )
