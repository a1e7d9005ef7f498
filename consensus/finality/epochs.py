"""All arithmetic of epochs: which epoch a height belongs to, and how long committees and ballots last.

There are two roundings. `compute_epoch` rounds up, to the epoch that a block belongs to. `compute_passed_epoch` rounds
down, to the last checkpoint at or below it. They agree at checkpoints.
"""

from typing import Final

from inos.consensus.params import Params
from inos.primitives.units import Height

KEPT_BALLOTS: Final = 2
"""The number of checkpoints that can still be justified: the latest, and the one before for late votes."""
STALE_EPOCHS: Final = 32
"""After this many epochs without a final block, committees no longer wait for one: such a long disagreement means that
voters left, not that the network is divided.
"""


def compute_epoch(params: Params, height: int) -> int:
    """Return the epoch that a block belongs to: checkpoint e ends epoch e, and genesis is epoch 0."""
    return -(-height // params.epoch_blocks)


def compute_passed_epoch(params: Params, height: int) -> int:
    """Return the epoch of the last checkpoint at or below a height."""
    return height // params.epoch_blocks


def compute_height(params: Params, epoch: int) -> Height:
    """Return the height of the epoch's checkpoint."""
    return Height(compute_span(params, epoch))


def compute_span(params: Params, epochs: int) -> int:
    """Return the number of blocks in this many epochs."""
    return epochs * params.epoch_blocks


def is_checkpoint(params: Params, height: int) -> bool:
    return height % params.epoch_blocks == 0


def is_before_start(params: Params, epoch: int) -> bool:
    """Return True if the epoch's checkpoint lies below the height at which voting begins."""
    return compute_height(params, epoch) < params.finality_start


def is_latest_voting(final: int, epoch: int) -> bool:
    """Return True if the committee chosen last votes on the checkpoint of `epoch`, not that of the last final
    checkpoint.

    This holds before the first final checkpoint, and after a long time without a final one.

    Args:
        final: the epoch of the last final checkpoint, 0 before the first one.
    """
    return final == 0 or epoch - final > STALE_EPOCHS


def is_change_limited(final: int, epoch: int) -> bool:
    """Return True if the committee chosen at the checkpoint of `epoch` may differ only a little from the one before.

    It is not limited if it would vote on the next checkpoint because it is the latest.
    """
    return not is_latest_voting(final, epoch + 1)


def compute_unbonding_end(params: Params, height: int) -> Height:
    """Return the height from which a bond can be withdrawn, if the first committee without the voter is chosen at
    `height`.
    """
    return Height(height + compute_span(params, params.unbonding_epochs))
