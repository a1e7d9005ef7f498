"""The arithmetic of epochs, all of it: which epoch a height belongs to, and how long what is chosen lasts.

Two roundings have a name each: `compute_epoch` rounds up, to the epoch a block belongs to; `compute_passed_epoch`
rounds down, to the last checkpoint at or below it. At a checkpoint they agree.
"""

from typing import Final

from inos.consensus.params import Params
from inos.primitives.units import Height

KEPT_BALLOTS: Final = 2
"""Checkpoints that can still be justified: the latest, and the one before for what was late."""
STALE_EPOCHS: Final = 32
"""Epochs without a final block after which committees no longer wait for one: a disagreement that lasts so long is
taken for voters who went away, not for a divided network."""


def compute_epoch(params: Params, height: int) -> int:
    """The epoch a block belongs to: checkpoint e ends epoch e; genesis is epoch 0."""
    return -(-height // params.epoch_blocks)


def compute_passed_epoch(params: Params, height: int) -> int:
    """Epoch of the last checkpoint at or below a height."""
    return height // params.epoch_blocks


def compute_height(params: Params, epoch: int) -> Height:
    """Height of the epoch's checkpoint."""
    return Height(epoch * params.epoch_blocks)


def is_checkpoint(params: Params, height: int) -> bool:
    return height % params.epoch_blocks == 0


def is_before_start(params: Params, epoch: int) -> bool:
    """Whether the epoch's checkpoint lies below the height at which voting begins."""
    return compute_height(params, epoch) < params.finality_start


def is_latest_voting(final: int, epoch: int) -> bool:
    """Whether the committee chosen last votes on the checkpoint of `epoch`, not the one of the last final checkpoint.

    So it is before the first final checkpoint, and after a stall.

    Args:
        final: epoch of the last final checkpoint, 0 before the first one.
    """
    return final == 0 or epoch - final > STALE_EPOCHS


def is_change_limited(final: int, epoch: int) -> bool:
    """Whether the committee chosen at the checkpoint of `epoch` is bound to the one before.

    It is not if it would vote on the next checkpoint for being the latest.
    """
    return not is_latest_voting(final, epoch + 1)


def compute_unbonding_end(params: Params, height: int) -> Height:
    """Height from which a bond can be withdrawn, if the first committee without the voter is chosen at `height`."""
    return Height(height + params.unbonding_epochs * params.epoch_blocks)
