"""Notes about each checkpoint, for peers that follow finality without executing blocks: see
`inos.consensus.finality.trust`. A checkpoint has no note if no committee was ever chosen.

Notes are stored under the checkpoint's id, so a reorganisation need not remove them. Aggregates are those of the
connected chain.
"""

from collections.abc import Callable

from msgspec import Struct

from inos.chain import schema
from inos.chain.schema import MAX_STORED_BYTES
from inos.chain.staging import StagedState, Staging
from inos.chain.state_tree import make_tree_proof
from inos.consensus.finality import is_checkpoint
from inos.consensus.finality.epochs import is_latest_voting
from inos.consensus.finality.trust import Step, compute_final_after
from inos.consensus.params import Params
from inos.consensus.records import FINALITY_KEY, Committee, Finality, StateKey, committee_key
from inos.consensus.state import StateView
from inos.consensus.statetree import StateProof
from inos.primitives.blocks import Block, Header
from inos.primitives.codec import decode, encode
from inos.primitives.units import BlockId
from inos.primitives.votes import Aggregate, Epoch

Read = Callable[[bytes], bytes | None]


class ProvenCommittee(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    epoch: Epoch
    committee: Committee
    proof: StateProof


class Note(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What the state of one checkpoint says about finality, with proofs."""

    finality: Finality
    proof: StateProof
    committees: tuple[ProvenCommittee, ...]
    """The committees that may vote next: the last one chosen, and those of the final and the justified checkpoint."""


def make_step_batch(step: Step) -> dict[bytes, bytes | None]:
    """Return the batch that stores a step that a peer has proven."""
    return {schema.step_key(BlockId(step.aggregate.link.target.id)): encode(step)}


def make_note_batch(params: Params, staging: Staging, block_id: BlockId, block: Block) -> dict[bytes, bytes | None]:
    """Return the batch that stores the aggregate and the note of a block that was just connected.

    Args:
        staging: the staged state after the block.
    """
    batch: dict[bytes, bytes | None] = {}
    if block.aggregate is not None:
        batch[schema.aggregate_key(BlockId(block.aggregate.link.target.id))] = encode(block.aggregate)
    if is_checkpoint(params, block.header.height) and (note := _make_note(staging)) is not None:
        batch[schema.note_key(block_id)] = encode(note)
    return batch


def _make_note(staging: Staging) -> Note | None:
    records = StagedState(staging)
    state = StateView(records)
    finality = state.get_finality()
    if finality is None:
        return None
    epochs = sorted({finality.finalized.epoch, finality.justified.epoch, *finality.committees[-1:]})
    committees = [(epoch, state.get_committee(epoch)) for epoch in epochs]
    proven = tuple(
        ProvenCommittee(epoch, committee, _prove(staging, records, committee_key(epoch)))
        for epoch, committee in committees
        if committee.members
    )
    return Note(finality, _prove(staging, records, FINALITY_KEY), proven) if proven else None


def _prove(staging: Staging, records: StagedState, key: StateKey) -> StateProof:
    return make_tree_proof(lambda node: staging.get_node(schema.node_key(node)), records.get, key)


def find_step(read: Read, get_header: Callable[[BlockId], Header | None], target: BlockId) -> Step | None:
    """Return the step that justified a checkpoint, or None if it is not justified or the step is not recorded here."""
    told = read(schema.step_key(target))
    if told is not None:
        return decode(Step, told, limit=MAX_STORED_BYTES)
    aggregate_data, target_note = read(schema.aggregate_key(target)), _read_note(read, target)
    header = get_header(target)
    if aggregate_data is None or target_note is None or header is None:
        return None
    aggregate = decode(Aggregate, aggregate_data, limit=MAX_STORED_BYTES)
    source, epoch = BlockId(aggregate.link.source.id), aggregate.link.target.epoch
    final = 0 if aggregate.link.source.epoch == 0 else _find_final_after(read, source)
    if final is None:
        return None
    is_by_work = is_latest_voting(final, epoch)
    holder = target_note if is_by_work else _read_note(read, source)
    chosen_at = epoch - 1 if is_by_work else final
    for proven in holder.committees if holder is not None else ():
        if proven.epoch == chosen_at:
            return Step(
                header=header,
                aggregate=aggregate,
                committee_epoch=proven.epoch,
                committee=proven.committee,
                committee_proof=proven.proof,
                finality=target_note.finality,
                finality_proof=target_note.proof,
            )
    return None


def _find_final_after(read: Read, justified: BlockId) -> int | None:
    """Return the epoch that is final once a checkpoint is justified, or None if it is not known here."""
    told, note, aggregate = (
        read(schema.step_key(justified)),
        _read_note(read, justified),
        read(schema.aggregate_key(justified)),
    )
    if told is not None:
        step = decode(Step, told, limit=MAX_STORED_BYTES)
        return compute_final_after(step.finality, step.aggregate.link).epoch
    if note is None or aggregate is None:
        return None
    link = decode(Aggregate, aggregate, limit=MAX_STORED_BYTES).link
    return compute_final_after(note.finality, link).epoch


def _read_note(read: Read, block: BlockId) -> Note | None:
    data = read(schema.note_key(block))
    return None if data is None else decode(Note, data, limit=MAX_STORED_BYTES)
