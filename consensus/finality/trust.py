"""Trust in a later checkpoint, derived from a trusted one by the committees' signatures, without executing a block.

A client that trusts a justified checkpoint trusts the state under its header's root. That state names the committee
whose votes count for the next link, by decision 62 the one chosen at the last final checkpoint. It also names what the
network mined then, on which the quorum depends. So a step consists of an aggregate, the target's header, and the
committee's record with its proof under the source's root. A client follows the links in order, and finds what is
justified and final exactly as the chain does.

Before the first final checkpoint, and after `STALE_EPOCHS` without a new one, the committee is the one chosen last,
under the target's own root. No signature vouches for that committee, so the caller must know by work that the target is
on the best chain.
"""

from collections.abc import Callable

from msgspec import Struct

from inos.consensus.codes import Code
from inos.consensus.finality.aggregates import check_aggregate, check_start
from inos.consensus.finality.epochs import compute_height, is_latest_voting
from inos.consensus.params import Params
from inos.consensus.records import FINALITY_KEY, Committee, Finality, committee_key
from inos.consensus.statetree import StateProof, check_proof
from inos.primitives.blocks import Header, compute_block_id
from inos.primitives.bls import Bls
from inos.primitives.codec import encode
from inos.primitives.errors import NotYet, RuleViolation
from inos.primitives.units import BlockId, StateRoot
from inos.primitives.votes import Aggregate, Checkpoint, Epoch, Link


class Step(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One justified checkpoint, which is the aggregate's target, and its proof."""

    header: Header
    aggregate: Aggregate
    committee_epoch: Epoch
    committee: Committee
    committee_proof: StateProof
    """The proof is under the source's root, or under the target's own root if work alone vouches for the committee."""
    finality: Finality
    """The record of checkpoints under the target's root."""
    finality_proof: StateProof


class Trust(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The justified and the final checkpoint that a client has reached."""

    justified: Checkpoint
    finalized: Checkpoint
    root: StateRoot
    """The state root of the justified checkpoint."""


def begin_trust(genesis: BlockId, root: StateRoot) -> Trust:
    """Return the trust in genesis alone."""
    checkpoint = Checkpoint(0, genesis)
    return Trust(checkpoint, checkpoint, root)


def begin_trust_at(params: Params, checkpoint: Checkpoint, step: Step) -> Trust:
    """Return the trust in a final checkpoint from a trusted source; `step` is the step that led to it.

    Raises:
        RuleViolation: "wrong-step", "wrong-source", "bad-state-proof".
    """
    check_target(params, checkpoint, step)
    final = compute_final_after(step.finality, step.aggregate.link)
    return Trust(checkpoint, final, StateRoot(step.header.state_root))


def compute_final_after(record: Finality, link: Link) -> Checkpoint:
    """Return the checkpoint that is final once a link's target is justified.

    Args:
        record: the record under the target's root. The source may have been justified in the very next block, before
            the target's ballot opened there; then the link to the source came from the checkpoint that is justified in
            the record.

    Raises:
        RuleViolation: "wrong-source": by this record no ballot on the target can have that source.
    """
    final = record.finalized
    if link.source != record.justified:
        if all(link.source != ballot.link.target for ballot in record.ballots):
            raise RuleViolation(
                Code.WRONG_SOURCE, f"epoch {link.source.epoch} was not voted on below {link.target.epoch}"
            )
        if record.justified.epoch + 1 == link.source.epoch:
            final = record.justified
    return link.source if link.source.epoch + 1 == link.target.epoch else final


def follow_step(params: Params, trust: Trust, step: Step, bls: Bls, is_best: Callable[[BlockId], bool]) -> Trust:
    """Return the trust after one step.

    Args:
        is_best: returns True if a block is on the chain with the most work that is known.

    Raises:
        RuleViolation: "wrong-source", "wrong-step", "wrong-committee", "bad-state-proof", or as for `check_start` and
            `check_aggregate`.
        NotYet: "work-unknown": work alone vouches for the committee, and the target is not on the best chain here.
    """
    link = step.aggregate.link
    if link.source != trust.justified or link.target.epoch <= link.source.epoch:
        raise RuleViolation(
            Code.WRONG_SOURCE, "the step's source", expected=trust.justified.epoch, got=link.source.epoch
        )
    check_start(params, link)
    check_target(params, link.target, step)
    is_by_work = is_latest_voting(trust.finalized.epoch, link.target.epoch)
    chosen_at = link.target.epoch - 1 if is_by_work else trust.finalized.epoch
    if step.committee_epoch != chosen_at:
        raise RuleViolation(Code.WRONG_COMMITTEE, "the step's committee", expected=chosen_at, got=step.committee_epoch)
    root = StateRoot(step.header.state_root) if is_by_work else trust.root
    if not check_proof(root, committee_key(chosen_at), encode(step.committee), step.committee_proof):
        raise RuleViolation(Code.BAD_STATE_PROOF, f"the committee of epoch {chosen_at} is not in the state")
    check_aggregate(params, step.committee, step.aggregate, bls)
    if is_by_work and not is_best(BlockId(link.target.id)):
        raise NotYet(Code.WORK_UNKNOWN, f"checkpoint {link.target.id.hex()} is not on the best chain of headers here")
    is_next = link.source.epoch + 1 == link.target.epoch
    return Trust(link.target, link.source if is_next else trust.finalized, StateRoot(step.header.state_root))


def check_target(params: Params, target: Checkpoint, step: Step) -> None:
    """Check that the header is the target's, and that its state contains the step's record of checkpoints.

    Raises:
        RuleViolation: "wrong-step", "bad-state-proof".
    """
    height = compute_height(params, target.epoch)
    if compute_block_id(step.header) != target.id or step.header.height != height:
        raise RuleViolation(Code.WRONG_STEP, f"the step's header is not that of checkpoint {target.epoch}")
    root = StateRoot(step.header.state_root)
    if not check_proof(root, FINALITY_KEY, encode(step.finality), step.finality_proof):
        raise RuleViolation(Code.BAD_STATE_PROOF, f"the record of finality is not in the state of epoch {target.epoch}")
