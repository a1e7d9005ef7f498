"""Where one epoch ends and the next begins: a checkpoint, the link to vote on, and another committee."""

from typing import Final

import msgspec

from inos.consensus.effects import Effects
from inos.consensus.finality.committee import choose_committee
from inos.consensus.params import Params
from inos.consensus.records import Ballot, Finality
from inos.consensus.state import StateView
from inos.primitives.units import BlockId, Height
from inos.primitives.votes import Checkpoint, Link

KEPT_BALLOTS: Final = 2
"""Checkpoints that can still be justified: the latest, and the one before for what was late."""
STALE_EPOCHS: Final = 32
"""Epochs without a final block after which committees no longer wait for one. As long a disagreement is taken for
voters who went away, not for a divided network."""


def compute_epoch(params: Params, height: int) -> int:
    """The epoch a block belongs to: checkpoint e ends epoch e; genesis is epoch 0."""
    return -(-height // params.epoch_blocks)


def compute_height(params: Params, epoch: int) -> Height:
    """Height of the epoch's checkpoint."""
    return Height(epoch * params.epoch_blocks)


def is_checkpoint(params: Params, height: int) -> bool:
    return height % params.epoch_blocks == 0


def process_epoch_start(effects: Effects, parent: BlockId) -> None:
    """In the first block above a checkpoint: note the checkpoint and what may be voted on it, and choose a committee.

    The committee that may vote is the one chosen at the last final checkpoint, so that two branches that part after
    it count with the same weights.
    """
    if not is_checkpoint(effects.params, effects.height - 1):
        return
    checkpoint = Checkpoint(compute_epoch(effects.params, effects.height - 1), parent)
    finality = effects.state.get_finality()
    if finality is None:
        effects.state.set_finality(Finality(checkpoint, checkpoint))
    elif (ballot := make_ballot(effects.state, checkpoint)) is not None:
        ballots = (*finality.ballots, ballot)[-KEPT_BALLOTS:]
        effects.state.set_finality(msgspec.structs.replace(finality, ballots=ballots))
    _add_committee(effects, checkpoint.epoch)


def make_ballot(state: StateView, checkpoint: Checkpoint) -> Ballot | None:
    """What may be voted on a checkpoint, and by whom; None where nobody was chosen yet.

    Args:
        state: after the checkpoint itself.
    """
    finality = state.get_finality()
    voting = None if finality is None else _choose_voting(state, finality, checkpoint.epoch)
    return None if finality is None or voting is None else Ballot(Link(finality.justified, checkpoint), voting)


def _choose_voting(state: StateView, finality: Finality, epoch: int) -> int | None:
    """Epoch of the committee that votes on the checkpoint of `epoch`; None while nobody ever was chosen."""
    if not finality.committees:
        return None
    settled = [each for each in finality.committees if each <= finality.finalized.epoch]
    is_stale = epoch - finality.finalized.epoch > STALE_EPOCHS
    if settled and not is_stale and state.get_committee(settled[-1]).members:
        return settled[-1]
    return finality.committees[-1] if state.get_committee(finality.committees[-1]).members else None


def _add_committee(effects: Effects, epoch: int) -> None:
    """Choose one, and drop those that can vote no more."""
    state = effects.state
    finality = state.get_finality()
    if finality is None:
        raise LookupError("a committee is chosen before there is a record of finality")
    settled = [each for each in finality.committees if each <= finality.finalized.epoch]
    oldest = settled[-1] if settled else 0
    kept = {each for each in finality.committees if each >= oldest} | {each.committee for each in finality.ballots}
    chosen = (*sorted(kept)[-STALE_EPOCHS - 2 :], epoch)
    for gone in set(finality.committees) - set(chosen):
        state.set_committee(gone, None)
    state.set_committee(epoch, choose_committee(effects.params, state, Height(effects.height - 1)))
    state.set_finality(msgspec.structs.replace(finality, committees=chosen))
