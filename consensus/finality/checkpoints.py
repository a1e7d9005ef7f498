"""The start of an epoch: the checkpoint before it, the link to vote on, and a new committee."""

import msgspec

from inos.consensus.costs import CANDIDATE_US
from inos.consensus.effects import Effects
from inos.consensus.finality.committee import Before, choose_committee
from inos.consensus.finality.epochs import (
    KEPT_BALLOTS,
    STALE_EPOCHS,
    compute_epoch,
    compute_height,
    compute_unbonding_end,
    is_change_limited,
    is_checkpoint,
    is_latest_voting,
)
from inos.consensus.finality.pots import burn_pot
from inos.consensus.finality.quorum import can_reach_quorum
from inos.consensus.records import Ballot, Committee, Finality
from inos.consensus.state import StateView
from inos.primitives.units import BlockId, Height
from inos.primitives.votes import Checkpoint, Link


def process_epoch_start(effects: Effects, parent: BlockId) -> None:
    """Record the checkpoint below this block and the link to vote on, and choose a committee, if the parent is a
    checkpoint.

    Votes that the block itself carries have taken effect before. Pots of checkpoints that can no longer be voted on are
    burned.
    """
    height = Height(effects.height - 1)
    if not is_checkpoint(effects.params, height):
        return
    checkpoint = Checkpoint(compute_epoch(effects.params, height), parent)
    finality = effects.state.get_finality()
    if finality is None:
        effects.state.set_finality(Finality(checkpoint, checkpoint))
    else:
        ballots = _list_ballots(effects.state, finality, checkpoint)
        targets = {each.link.target.epoch for each in ballots}
        for epoch in {checkpoint.epoch, *(each.link.target.epoch for each in finality.ballots)} - targets:
            burn_pot(effects, epoch)
        effects.state.set_finality(msgspec.structs.replace(finality, ballots=ballots))
    _add_committee(effects, checkpoint.epoch, height)


def get_voting_committee(state: StateView) -> Committee:
    """Return the committee of the latest ballot, from which juries are drawn; it has no members if there is no
    ballot.
    """
    finality = state.get_finality()
    if finality is None or not finality.ballots:
        return Committee()
    return state.get_committee(finality.ballots[-1].committee)


def _list_ballots(state: StateView, finality: Finality, checkpoint: Checkpoint) -> tuple[Ballot, ...]:
    """Return the ballots on which blocks above a checkpoint may carry votes, oldest first."""
    kept = [each for each in finality.ballots if each.link.target.epoch > checkpoint.epoch - KEPT_BALLOTS]
    opened = _make_ballot(state, finality, checkpoint)
    return (*kept, *(() if opened is None else (opened,)))


def _make_ballot(state: StateView, finality: Finality, checkpoint: Checkpoint) -> Ballot | None:
    """Return the ballot of a checkpoint, or None if its committee could not justify it."""
    epoch = _choose_voting(finality, checkpoint.epoch)
    if epoch is None or not can_reach_quorum(state.get_committee(epoch)):
        return None
    return Ballot(Link(finality.justified, checkpoint), epoch)


def _choose_voting(finality: Finality, epoch: int) -> int | None:
    """Return the epoch of the committee that votes on the checkpoint of `epoch`.

    It is the one chosen at the last final checkpoint, so that branches that fork above it count with the same weights.
    """
    chosen = finality.committees
    if not is_latest_voting(finality.finalized.epoch, epoch):
        chosen = tuple(each for each in chosen if each <= finality.finalized.epoch)
    return chosen[-1] if chosen else None


def _add_committee(effects: Effects, epoch: int, height: Height) -> None:
    """Choose a committee, and drop those that can no longer vote; leaving voters who are not in the new one begin to
    unbond.
    """
    state = effects.state
    finality = state.get_finality()
    if finality is None:
        raise LookupError("a committee is chosen before there is a record of finality")
    voters = list(state.iterate_voters())
    effects.charge(CANDIDATE_US * len(voters))
    before = _find_before(effects, finality, epoch)
    committee = choose_committee(effects.params, state, height, voters, before)
    _drop_committees(effects, finality, epoch)
    state.set_committee(epoch, committee)
    members = {member.address for member in committee.members}
    leaves_at = compute_unbonding_end(effects.params, effects.height)
    for address, voter in voters:
        if voter.is_leaving and not voter.leaves_at and address not in members:
            state.set_voter(address, msgspec.structs.replace(voter, leaves_at=leaves_at))


def _find_before(effects: Effects, finality: Finality, epoch: int) -> Before | None:
    """Return the committee from which that of `epoch` may differ only a little, or None if nothing limits the
    change.
    """
    if not finality.committees or not is_change_limited(finality.finalized.epoch, epoch):
        return None
    latest = finality.committees[-1]
    return Before(effects.state.get_committee(latest), compute_height(effects.params, latest))


def _drop_committees(effects: Effects, finality: Finality, epoch: int) -> None:
    """Keep the committees of present and possible ballots, and add that of `epoch` to the list."""
    settled = [each for each in finality.committees if each <= finality.finalized.epoch]
    oldest = settled[-1] if settled else 0
    kept = {each for each in finality.committees if each >= oldest} | {each.committee for each in finality.ballots}
    chosen = (*sorted(kept)[-STALE_EPOCHS - 2 :], epoch)
    for gone in set(finality.committees) - set(chosen):
        effects.state.set_committee(gone, None)
    effects.state.set_finality(msgspec.structs.replace(finality, committees=chosen))
