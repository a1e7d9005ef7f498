"""finality_status: final and justified checkpoints, and the votes in progress."""

from typing import Annotated

from pydantic import Field

from inos.consensus.finality import compute_epoch, compute_height, compute_network_mined, compute_passed_epoch
from inos.consensus.records import Ballot
from inos.primitives.units import Height
from inos.rpc.method import Example, method
from inos.rpc.methods.finality.voter import OwnVoterModel, render_voter
from inos.rpc.models.chain import CheckpointModel
from inos.rpc.models.render import render_checkpoint
from inos.rpc.models.values import BlockHeight, BlsKey, Count, Model, NanoAmount, NoParams
from inos.rpc.ports import NodePort


class BallotModel(Model):
    """A checkpoint that is being voted on."""

    source: Annotated[CheckpointModel, Field(description="The justified checkpoint that votes start from.")]
    target: Annotated[CheckpointModel, Field(description="The checkpoint that is voted for.")]
    committee: Annotated[Count, Field(description="The epoch at whose checkpoint the voting committee was chosen.")]
    members: Annotated[Count, Field(description="The number of members of that committee.")]
    votes: Annotated[Count, Field(description="The number of votes that this node has received.")]
    pot: Annotated[NanoAmount, Field(description="What members whose votes justify the target are paid, by weight.")]


class FinalityStatusModel(Model):
    """Finality at the tip."""

    epoch: Annotated[Count, Field(description="The tip's epoch; epoch e ends at height e times epoch_blocks.")]
    epoch_blocks: Annotated[Count, Field(description="The number of blocks per epoch.")]
    final: Annotated[CheckpointModel, Field(description="The last final checkpoint; no reorg undoes it.")]
    final_height: Annotated[BlockHeight, Field(description="Its height.")]
    justified: Annotated[CheckpointModel, Field(description="The last justified checkpoint.")]
    justified_height: Annotated[BlockHeight, Field(description="Its height.")]
    unfinalized_blocks: Annotated[Count, Field(description="The number of blocks above the last final one.")]
    ballots: Annotated[list[BallotModel], Field(description="The checkpoints that are being voted on.")]
    voters: Annotated[Count, Field(description="The number of voters with a bond, in a committee or not.")]
    mined: Annotated[NanoAmount, Field(description="The network's mined figure: subsidies, halved up to the tip.")]
    slashable_keys: Annotated[
        list[BlsKey],
        Field(description="Keys of voters that signed two votes which exclude each other, as this node saw."),
    ]
    voter: Annotated[OwnVoterModel | None, Field(description="This node's own voter; null if it does not vote.")]


@method("finality_status", examples=(Example("what is final", {}),))
async def finality_status(node: NodePort, params: NoParams) -> FinalityStatusModel:
    """Return the last final and justified checkpoints, the votes in progress, and this node's own voter."""
    ledger, state = node.ledger, node.ledger.state
    tip, final = ledger.tip, ledger.final
    finality = state.get_finality()
    justified = None if finality is None else finality.justified
    ballots = () if finality is None else finality.ballots
    genesis = CheckpointModel(epoch=0, id=node.genesis_id.hex())
    return FinalityStatusModel(
        epoch=compute_epoch(node.params, tip.header.height),
        epoch_blocks=node.params.epoch_blocks,
        final=CheckpointModel(epoch=compute_passed_epoch(node.params, final.header.height), id=final.id.hex()),
        final_height=final.header.height,
        justified=genesis if justified is None else render_checkpoint(justified),
        justified_height=0 if justified is None else compute_height(node.params, justified.epoch),
        unfinalized_blocks=tip.header.height - final.header.height,
        ballots=[_render_ballot(node, ballot) for ballot in ballots],
        voters=state.get_voter_count().count,
        mined=str(compute_network_mined(node.params, state, Height(tip.header.height))),
        slashable_keys=[each.first.key.hex() for each in node.votes.pool.get_evidence()],
        voter=None if node.voter is None else render_voter(node, node.voter),
    )


def _render_ballot(node: NodePort, ballot: Ballot) -> BallotModel:
    return BallotModel(
        source=render_checkpoint(ballot.link.source),
        target=render_checkpoint(ballot.link.target),
        committee=ballot.committee,
        members=len(node.ledger.state.get_committee(ballot.committee).members),
        votes=node.votes.pool.count_votes(ballot.link),
        pot=str(node.ledger.state.get_pot(ballot.link.target.epoch).amount),
    )
