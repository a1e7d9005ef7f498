"""finality_listEpochs: which checkpoints were justified, when, and by how many votes."""

import asyncio
from typing import Annotated, Final

from pydantic import Field

from inos.chain.notes import find_step
from inos.consensus.finality import compute_height, compute_passed_epoch, compute_quorum, compute_weight
from inos.consensus.finality.trust import Step
from inos.primitives.units import Height
from inos.primitives.votes import list_members
from inos.rpc.lookup import get_block_finality
from inos.rpc.method import Example, method
from inos.rpc.models.values import BigInteger, BlockFinality, BlockHeight, Count, Hash, Model, UnixMs
from inos.rpc.ports import NodePort

MAX_EPOCHS: Final = 50
"""A step holds a whole committee, so a page of epochs is short."""


class ListEpochsParams(Model):
    last: Annotated[
        int | None, Field(ge=0, le=2**63 - 1, description="The newest epoch to list; the last ended one if null.")
    ] = None
    limit: Annotated[int, Field(ge=1, le=MAX_EPOCHS, description="The most epochs to list.")] = 20


class EpochVotesModel(Model):
    """The votes that justified a checkpoint."""

    source: Annotated[Count, Field(description="The epoch of the justified checkpoint that the votes start from.")]
    committee: Annotated[Count, Field(description="The epoch at whose checkpoint the committee was chosen.")]
    members: Annotated[Count, Field(description="The members of the committee.")]
    signed: Annotated[Count, Field(description="So many of them signed.")]
    weight: Annotated[BigInteger, Field(description="The weight of the committee, in nano.")]
    signed_weight: Annotated[BigInteger, Field(description="The weight of those that signed.")]
    quorum: Annotated[BigInteger, Field(description="The weight that was needed.")]


class EpochModel(Model):
    """An epoch that has ended, and its checkpoint."""

    epoch: Annotated[Count, Field(description="The epoch.")]
    id: Annotated[Hash, Field(description="The id of its checkpoint, the block at its end.")]
    height: Annotated[BlockHeight, Field(description="The height of the checkpoint.")]
    time_ms: Annotated[UnixMs, Field(description="The time of the checkpoint.")]
    finality: Annotated[BlockFinality, Field(description="Says if the checkpoint is final.")]
    votes: Annotated[
        EpochVotesModel | None,
        Field(description="The votes that justified it; null if none did, or if this node has no record of them."),
    ]


class EpochPageModel(Model):
    """A page of epochs."""

    epochs: Annotated[list[EpochModel], Field(description="The epochs, newest first.")]
    next: Annotated[Count | None, Field(description="Pass it as `last` to get the next page; null at the end.")]


@method("finality_listEpochs", examples=(Example("the newest two", {"limit": 2}),))
async def finality_list_epochs(node: NodePort, params: ListEpochsParams) -> EpochPageModel:
    """List epochs from one downwards, with their checkpoints and the votes that justified them.

    The epoch of genesis is not listed.
    """
    newest = compute_passed_epoch(node.params, node.ledger.tip.header.height)
    last = newest if params.last is None else min(params.last, newest)
    epochs: list[EpochModel] = []
    for epoch in range(last, max(0, last - params.limit), -1):
        found = _read_epoch(node, epoch)
        if found is None:
            break
        epochs.append(found)
        await asyncio.sleep(0)
    end = epochs[-1].epoch if epochs else 1
    return EpochPageModel(epochs=epochs, next=end - 1 if end > 1 else None)


def _read_epoch(node: NodePort, epoch: int) -> EpochModel | None:
    """Return an epoch, or None if a reorg removed its checkpoint meanwhile."""
    block = node.ledger.get_block_id(Height(compute_height(node.params, epoch)))
    header = None if block is None else node.ledger.get_header(block)
    if block is None or header is None:
        return None
    step = find_step(node.ledger.database.get, node.ledger.get_header, block)
    return EpochModel(
        epoch=epoch,
        id=block.hex(),
        height=header.height,
        time_ms=header.time_ms,
        finality=get_block_finality(node, block, header),
        votes=None if step is None else _render_votes(step),
    )


def _render_votes(step: Step) -> EpochVotesModel:
    signers = list_members(step.aggregate.bits)
    return EpochVotesModel(
        source=step.aggregate.link.source.epoch,
        committee=step.committee_epoch,
        members=len(step.committee.members),
        signed=len(signers),
        weight=str(compute_weight(step.committee)),
        signed_weight=str(compute_weight(step.committee, signers)),
        quorum=str(compute_quorum(step.committee)),
    )
