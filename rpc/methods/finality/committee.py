"""finality_committee: the members and weights of a committee."""

from typing import Annotated

from pydantic import Field

from inos.consensus.finality import compute_quorum, compute_weight
from inos.rpc import errors
from inos.rpc.errors import RpcError
from inos.rpc.method import Example, method
from inos.rpc.models.render import make_renderer
from inos.rpc.models.values import AccountAddress, BigInteger, BlsKey, Count, Model, NanoAmount
from inos.rpc.ports import NodePort


class CommitteeParams(Model):
    epoch: Annotated[
        int | None,
        Field(
            ge=0, description="The epoch at whose checkpoint the committee was chosen; null for the one that votes now."
        ),
    ] = None


class CommitteeMemberModel(Model):
    """A member of a committee."""

    address: Annotated[AccountAddress, Field(description="The account that registered the voter.")]
    key: Annotated[BlsKey, Field(description="The voter's key.")]
    weight: Annotated[BigInteger, Field(description="The weight of the member's vote.")]
    mined: Annotated[NanoAmount, Field(description="Its mined figure when the committee was chosen.")]


class CommitteeModel(Model):
    """A committee."""

    epoch: Annotated[Count, Field(description="The epoch at whose checkpoint the committee was chosen.")]
    weight: Annotated[BigInteger, Field(description="The weight of all members.")]
    mined: Annotated[NanoAmount, Field(description="The network's mined figure when the committee was chosen.")]
    quorum: Annotated[
        BigInteger,
        Field(
            description="The least weight that justifies a checkpoint: over two thirds of the weight, and over half "
            "of what was mined."
        ),
    ]
    members: Annotated[list[CommitteeMemberModel], Field(description="The members, heaviest first.")]


@method("finality_committee", examples=(Example("who votes now", {}),))
async def finality_committee(node: NodePort, params: CommitteeParams) -> CommitteeModel:
    """Return a committee's members and their weights."""
    epoch = _find_committee(node) if params.epoch is None else params.epoch
    finality = node.ledger.state.get_finality()
    stored = () if finality is None else finality.committees
    if params.epoch is not None and epoch not in stored:
        known = f"this node has those of {', '.join(map(str, stored)) or 'no epoch'}"
        raise RpcError(errors.NOT_FOUND, "unknown-committee", f"there is no committee of epoch {epoch}", hint=known)
    committee = node.ledger.state.get_committee(epoch)
    renderer = make_renderer(node)
    return CommitteeModel(
        epoch=epoch,
        weight=str(compute_weight(committee)),
        mined=str(committee.mined),
        quorum=str(compute_quorum(committee)),
        members=[
            CommitteeMemberModel(
                address=renderer.address(each.address),
                key=each.key.hex(),
                weight=str(each.weight),
                mined=str(each.mined),
            )
            for each in committee.members
        ],
    )


def _find_committee(node: NodePort) -> int:
    """Return the epoch of the committee of the latest ballot, else of the last one chosen; 0 before there is any."""
    finality = node.ledger.state.get_finality()
    if finality is None:
        return 0
    if finality.ballots:
        return finality.ballots[-1].committee
    return finality.committees[-1] if finality.committees else 0
