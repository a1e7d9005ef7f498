"""The effect of a quorum's votes: they justify a checkpoint, and finalize the one before it."""

import msgspec

from inos.consensus.codes import Code
from inos.consensus.effects import Effects
from inos.consensus.finality.epochs import compute_height, is_before_start
from inos.consensus.finality.pots import pay_pot
from inos.consensus.finality.quorum import compute_quorum, compute_weight, is_quorum
from inos.consensus.params import Params
from inos.consensus.records import Ballot, Committee, Finality
from inos.consensus.state import StateView
from inos.primitives.bls import Bls
from inos.primitives.errors import RuleViolation
from inos.primitives.units import Address
from inos.primitives.votes import Aggregate, Link, compute_vote_hash, list_members


def check_start(params: Params, link: Link) -> None:
    """Check that the target is not below `finality_start`, where voting begins.

    Raises:
        RuleViolation: "before-finality-start".
    """
    if is_before_start(params, link.target.epoch):
        raise RuleViolation(
            Code.BEFORE_FINALITY_START,
            "height of the aggregate's target",
            expected=f"at least {params.finality_start}",
            got=compute_height(params, link.target.epoch),
        )


def is_open(params: Params, finality: Finality, ballot: Ballot) -> bool:
    """Return True if votes can still justify the ballot's target; voters sign no other ballots."""
    link = ballot.link
    is_above = link.target.epoch > finality.justified.epoch
    return is_above and link.source == finality.justified and not is_before_start(params, link.target.epoch)


def find_ballot(finality: Finality | None, aggregate: Aggregate) -> Ballot:
    """Return the ballot to which an aggregate belongs.

    Its source must also be the checkpoint that is justified now: a ballot that opened before an earlier checkpoint was
    justified is void from then on. So each link of a chain begins where the last one ended, and clients can follow them
    without executing blocks.

    Raises:
        RuleViolation: "unknown-target", "wrong-source", "already-justified".
    """
    link = aggregate.link
    ballots = [] if finality is None else [each for each in finality.ballots if each.link.target == link.target]
    if finality is None or not ballots:
        raise RuleViolation(
            Code.UNKNOWN_TARGET, f"the aggregate's target, epoch {link.target.epoch}, is not voted on here"
        )
    if ballots[0].link.source != link.source:
        raise RuleViolation(
            Code.WRONG_SOURCE, "the aggregate's source", expected=ballots[0].link.source.epoch, got=link.source.epoch
        )
    if link.target.epoch <= finality.justified.epoch:
        raise RuleViolation(
            Code.ALREADY_JUSTIFIED,
            "the aggregate's target",
            expected=f"above {finality.justified.epoch}",
            got=link.target.epoch,
        )
    if link.source != finality.justified:
        raise RuleViolation(
            Code.WRONG_SOURCE,
            "the source of a ballot that opened too early",
            expected=finality.justified.epoch,
            got=link.source.epoch,
        )
    return ballots[0]


def check_aggregate(params: Params, committee: Committee, aggregate: Aggregate, bls: Bls) -> None:
    """Check that the bitmap fits the committee, that its members have enough weight, and that all of them signed.

    Raises:
        RuleViolation: "bad-bitmap", "too-little-weight", "bad-aggregate".
    """
    count = len(committee.members)
    members = list_members(aggregate.bits)
    if len(aggregate.bits) != -(-count // 8) or not members or members[-1] >= count:
        raise RuleViolation(Code.BAD_BITMAP, f"the aggregate's bitmap does not fit a committee of {count}")
    if not is_quorum(committee, members):
        raise RuleViolation(
            Code.TOO_LITTLE_WEIGHT,
            "weight of the aggregate's members",
            expected=f"at least {compute_quorum(committee)} of {compute_weight(committee)}",
            got=compute_weight(committee, members),
        )
    keys = [committee.members[index].key for index in members]
    if not bls.is_aggregate_signed(keys, compute_vote_hash(params.chain_id, aggregate.link), aggregate.signature):
        raise RuleViolation(Code.BAD_AGGREGATE, "the aggregate's signature is not that of its members under its link")


def check_block_aggregate(params: Params, state: StateView, aggregate: Aggregate, bls: Bls) -> Ballot:
    """Return the ballot of an aggregate that a block on this state may carry.

    Raises:
        RuleViolation: for the same reasons as `check_start`, `find_ballot` and `check_aggregate`.
    """
    check_start(params, aggregate.link)
    ballot = find_ballot(state.get_finality(), aggregate)
    check_aggregate(params, state.get_committee(ballot.committee), aggregate, bls)
    return ballot


def process_aggregate(effects: Effects, aggregate: Aggregate, bls: Bls, carrier: Address) -> None:
    """Justify the target and pay its epoch's pot; finalize the source if its epoch is the one before the target's.

    Args:
        carrier: the beneficiary of the block.

    Raises:
        RuleViolation: for the same reasons as `check_block_aggregate`.
    """
    ballot = check_block_aggregate(effects.params, effects.state, aggregate, bls)
    finality = effects.state.get_finality()
    if finality is None:
        raise LookupError("an aggregate was checked without a record of finality")
    effects.state.set_finality(apply_link(finality, aggregate.link))
    committee = effects.state.get_committee(ballot.committee)
    pay_pot(effects, aggregate.link.target.epoch, committee, list_members(aggregate.bits), carrier)


def apply_link(finality: Finality, link: Link) -> Finality:
    """Return the record of checkpoints after a link with a quorum."""
    source, target = link.source, link.target
    is_final = source.epoch + 1 == target.epoch and source.epoch > finality.finalized.epoch
    return msgspec.structs.replace(finality, justified=target, finalized=source if is_final else finality.finalized)
