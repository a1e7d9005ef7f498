"""Simulates races between branches: a miner hides blocks, holds them back, or orphans others' rich blocks.

Blocks weigh the same. Among equal branches, a node keeps
the one that it connected first, never one that was held for its
matrices (protocol, section 4). So no honest miner mines on the attacker's branch of two equal ones.
"""

import random

from msgspec import Struct


class Race(Struct, frozen=True):
    """The best chain after a simulated time."""

    own: int
    """The number of the attacker's blocks on it."""
    others: int

    @property
    def share(self) -> float:
        return self.own / (self.own + self.others)


def run_withholding(power: float, blocks: int, *, follow: float, seed: int) -> Race:
    """Mine in secret, or publish blocks whose matrices are withheld, and publish the rest when others catch up.

    This is the strategy of Eyal and Sirer (2014), the best known one for withholding with simple decisions.

    Args:
        power: the attacker's part of the hash rate.
        follow: the part of the others who mine on the attacker's branch of two equal ones: 0 by the rules.
    """
    rng = random.Random(seed)
    own = others = lead = 0
    is_tie = False
    for _ in range(blocks):
        if rng.random() < power:
            if is_tie:
                own, lead, is_tie = own + 2, 0, False
            else:
                lead += 1
        elif is_tie:
            is_followed = rng.random() < follow
            own, others, is_tie = own + is_followed, others + 2 - is_followed, False
        elif lead == 0:
            others += 1
        elif lead == 1:
            lead, is_tie = 0, True
        elif lead == 2:
            own, lead = own + 2, 0
        else:
            own, lead = own + 1, lead - 1
    return Race(own + lead, others)


def run_undercutting(power: float, blocks: int, *, rich: float, seed: int) -> tuple[float, float]:
    """Mine beside the tip if it took rich fees, to take them again; give up when others extend it.

    Args:
        rich: fees of one block in ten, in subsidies; the other blocks have none.

    Returns:
        The attacker's earnings per block, in subsidies, by undercutting and by mining on the tip.
    """
    rng = random.Random(seed)
    earned = honest = 0.0
    fees = 0.0
    ahead = 0
    for _ in range(blocks):
        honest += power * (1 + rich / 10)
        is_own = rng.random() < power
        if fees and is_own:
            ahead += 1
            if ahead == 2:  # two blocks beside one: heavier, and the fees are taken in the first
                earned, fees, ahead = earned + 2 + fees, 0.0, 0
            continue
        if fees:
            fees, ahead = 0.0, 0  # the others extended the tip; what was mined beside it is lost
            continue
        fees = rich if rng.random() < 0.1 else 0.0
        if is_own:
            earned, fees = earned + 1 + fees, 0.0
    return earned / blocks, honest / blocks
