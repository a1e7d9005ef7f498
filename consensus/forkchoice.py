"""Which chain is best: the valid one that stands for the most tickets (protocol, section 4)."""

from inos.primitives.blocks import Header, compute_weight
from inos.primitives.units import Weight


def compute_chain_weight(parent_weight: Weight, header: Header) -> Weight:
    """Tickets from genesis, which stands for none, up to and including `header`."""
    return Weight(parent_weight + compute_weight(header))


def is_better(new: Weight, old: Weight) -> bool:
    """Whether a chain of weight `new` replaces one of `old`: only if heavier, so of equals the first seen stays."""
    return new > old
