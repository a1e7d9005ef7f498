"""The choice of the best chain: the valid one that stands for the most tickets (protocol, section 4)."""

from typing import Final

from inos.consensus.params import Params
from inos.primitives.blocks import Header, compute_weight
from inos.primitives.units import Weight

LATE_PART: Final = 8
"""A block that waits for matrices longer than one part in this many of the spacing is late."""
NEVER: Final = 2**63
"""The order of a block that has not been connected here."""

Preference = tuple[int, int, int, int]


def compute_chain_weight(parent_weight: Weight, header: Header) -> Weight:
    """Return the tickets of the chain up to and including `header`; genesis stands for none."""
    return Weight(parent_weight + compute_weight(header))


def is_late(params: Params, waited_ms: int) -> bool:
    """Return True if a block is late whose matrices were complete `waited_ms` after its body."""
    return waited_ms * LATE_PART > params.spacing_ms


def compute_preference(weight: Weight, late: int, connected: int, arrival: int) -> Preference:
    """Return the rank of a chain, highest for the best: by weight, fewer late blocks, earlier connection, earlier
    arrival.

    Common ancestors count alike on both sides, so only late blocks above the fork make a difference. Lateness and both
    orders are this node's own observations, and a restart forgets them.

    Args:
        late: the number of blocks on the chain that waited for matrices for too long.
        connected: the order in which the chain's last block was connected here; `NEVER` if it was not.
    """
    return weight, -late, -connected, -arrival
