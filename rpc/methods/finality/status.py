"""finality_*: what is final, who votes on it, and this node's own voter."""

from typing import Annotated

from pydantic import Field

from inos.consensus.records import Ballot, Committee
from inos.primitives.units import Nano
from inos.rpc import errors
from inos.rpc.errors import RpcError
from inos.rpc.method import Example, method
from inos.rpc.ports import NodePort, VoterControl
from inos.rpc.render import make_renderer, render_checkpoint
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


class OwnVoterModel(Model):
    """The voter of a node started with --vote."""

    key: Annotated[str, Field(description="BLS public key, 96 hex digits.")]
    address: Annotated[AddressText | None, Field(description="Whose voter it is, or would be; null where nobody's.")]
    is_registered: bool
    bond: NanoText
    leaves_at: Annotated[HeightNumber, Field(description="Height from which the bond can be withdrawn; 0: it votes.")]
    reputation: NumberText
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
    voters: Annotated[Count, Field(description="Accounts registered, whether in a committee or not.")]
    caught: Annotated[list[str], Field(description="BLS keys this node has evidence against.")]
    voter: Annotated[OwnVoterModel | None, Field(description="Null where the node does not vote.")]


class CommitteeParams(Model):
    epoch: Annotated[int | None, Field(ge=0, description="Whose committee; without it the one that votes now.")] = None


class MemberModel(Model):
    address: AddressText
    key: str
    weight: NumberText


class CommitteeModel(Model):
    """A committee, the heaviest member first."""

    epoch: Annotated[Count, Field(description="Epoch at whose checkpoint it was chosen.")]
    weight: Annotated[NumberText, Field(description="Of all; more than two thirds justify.")]
    members: list[MemberModel]


class RegisterParams(Model):
    bond: Annotated[NanoText | None, Field(description="Nano; the network's least without it.")] = None
    send: Annotated[bool, Field(description="False: only key and proof, for a wallet to register with.")] = True


class Registration(Model):
    """Key and proof, and the transaction where the node sent it."""

    key: str
    proof: str
    bond: NanoText
    address: AddressText | None
    id: Annotated[Hex32 | None, Field(description="Of the registration this node sent; null where it sent none.")]


class Sent(Model):
    id: Hex32


@method("finality_status", examples=(Example("what is final", {}),))
async def finality_status(node: NodePort, params: NoParams) -> FinalityModel:
    """The last final and justified blocks, what is voted on, and this node's own voter."""
    ledger, state = node.ledger, node.ledger.state
    tip, final = ledger.tip, ledger.final
    blocks, finality = node.params.epoch_blocks, state.get_finality()
    final_epoch = final.header.height // blocks
    justified = None if finality is None else finality.justified
    ballots = () if finality is None else finality.ballots
    genesis = CheckpointModel(epoch=0, id=node.genesis_id.hex())
    return FinalityModel(
        epoch=-(-tip.header.height // blocks),
        epoch_blocks=blocks,
        final=CheckpointModel(epoch=final_epoch, id=final.id.hex()),
        final_height=final.header.height,
        justified=genesis if justified is None else render_checkpoint(justified),
        justified_height=0 if justified is None else justified.epoch * blocks,
        behind=tip.header.height - final.header.height,
        ballots=[_render_ballot(node, ballot) for ballot in ballots],
        voters=state.get_voter_count().count,
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
        weight=str(_compute_weight(committee)),
        members=[
            MemberModel(address=renderer.address(each.address), key=each.key.hex(), weight=str(each.weight))
            for each in committee.members
        ],
    )


@method("finality_register", is_protected=True)
async def finality_register(node: NodePort, params: RegisterParams) -> Registration:
    """Register this node's BLS key with a bond, from the node's own account; or only say key and proof."""
    voter = _get_voter(node)
    bond = Nano(node.params.min_voter_bond if params.bond is None else int(params.bond))
    payload, status = voter.make_registration(bond), voter.get_status()
    sent = await voter.register(bond) if params.send else None
    return Registration(
        key=payload.key.hex(),
        proof=payload.proof.hex(),
        bond=str(bond),
        address=None if status.address is None else make_renderer(node).address(status.address),
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


def _find_committee(node: NodePort) -> int:
    """The committee of the latest ballot, else the last one chosen; 0 before there is any."""
    finality = node.ledger.state.get_finality()
    if finality is None:
        return 0
    if finality.ballots:
        return finality.ballots[-1].committee
    return finality.committees[-1] if finality.committees else 0


def _compute_weight(committee: Committee) -> int:
    return sum(member.weight for member in committee.members)


def _render_ballot(node: NodePort, ballot: Ballot) -> BallotModel:
    return BallotModel(
        source=render_checkpoint(ballot.link.source),
        target=render_checkpoint(ballot.link.target),
        committee=ballot.committee,
        members=len(node.ledger.state.get_committee(ballot.committee).members),
        votes=node.votes.count_votes(ballot.link),
    )


def _render_voter(node: NodePort, voter: VoterControl) -> OwnVoterModel:
    status = voter.get_status()
    return OwnVoterModel(
        key=status.key.hex(),
        address=None if status.address is None else make_renderer(node).address(status.address),
        is_registered=status.is_registered,
        bond=str(status.bond),
        leaves_at=status.leaves_at,
        reputation=str(status.reputation),
        votes=status.votes,
        last_epoch=status.last_epoch,
        last_error=status.last_error,
    )
