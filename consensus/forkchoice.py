"""Which chain is best: the valid one that stands for the most tickets (protocol, section 4)."""

from typing import Final

from inos.consensus.params import Params
from inos.primitives.blocks import Header, compute_weight
from inos.primitives.units import Weight

LATE_PART: Final = 8
"""A block held for matrices for more than one part in so many of the spacing is late."""
NEVER: Final = 2**63
"""Stands for the order of what has not been connected here."""

Preference = tuple[int, int, int, int]


def compute_chain_weight(parent_weight: Weight, header: Header) -> Weight:
    """Tickets from genesis, which stands for none, up to and including `header`."""
    return Weight(parent_weight + compute_weight(header))


def is_late(params: Params, waited_ms: int) -> bool:
    """Whether a block whose matrices were complete so long after its body counts as late."""
    return waited_ms * LATE_PART > params.spacing_ms


def compute_preference(weight: Weight, late: int, connected: int, arrival: int) -> Preference:
    """What orders chains, the best one highest: weight; fewer late blocks; connected here earlier; seen here earlier.

    Common ancestors count alike on both sides, so only late blocks above the fork make a difference. Marks and
    orders are this node's own, and forgotten when it stops.

    Args:
        late: blocks on the chain that were held for matrices for too long.
        connected: the order in which the chain's last block was connected here; `NEVER` where it was not.
    """
    return weight, -late, -connected, -arrival
