"""What each part of a block makes a node compute, in microseconds of the reference core (protocol, section 4).

The sum over a block is at most `max_block_cost_us`. Preliminary figures.
"""

from typing import Final

from inos.consensus.records import Kind

QUEUE_COSTS: Final = {Kind.LAPSE: 100, Kind.DEADLINE: 100, Kind.DUE: 100, Kind.REMOVAL: 50}
