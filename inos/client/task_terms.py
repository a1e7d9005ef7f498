"""What a caller offers for a task."""

from typing import Final

from msgspec import Struct

from inos.client.operands import Credits


class TaskTerms(Struct, frozen=True, kw_only=True):
    """What a caller offers for a task.

    Args:
        reward: credits; by default what the last settled jobs paid per ticket, for as many units.
        max_cost: most credits for reward, burn and fee together.
        max_burn: most nano to burn; by default 1.5 times the present price.
        lifetime: blocks from now in which the task can be claimed and delivered; by default the most allowed.
        bond: nano that a claim requires; by default the least allowed.
        claim_window: blocks that a worker has the task for itself; by default what a small worker needs for it.
        may_wait_for_jury: post it also if the network has too few voters for a jury now; it waits for them.
    """

    reward: Credits | None = None
    max_cost: Credits | None = None
    max_burn: int | None = None
    lifetime: int | None = None
    bond: int | None = None
    claim_window: int | None = None
    may_wait_for_jury: bool = False


DEFAULT_TERMS: Final = TaskTerms()
