"""Work that counts as checked because a sample of it was: a restart forgets it."""

from inos.chain.entry import Entry, find_fork, get_ancestor
from inos.consensus.params import Params
from inos.primitives.randomness import Randomness


class VouchedWork:
    """The header up to which a sample of the work was checked."""

    def __init__(self, params: Params) -> None:
        self._params = params
        self._top: Entry | None = None

    def vouch(self, entry: Entry) -> None:
        """Count the work up to `entry` as checked."""
        self._top = entry

    def is_vouched(self, entry: Entry) -> bool:
        """Return True if the results of a block lie so deep below checked work that they count as checked."""
        top = self._top
        if top is None or top.invalid is not None or entry.height >= top.height - self._params.result_depth:
            return False
        return get_ancestor(top, entry.height) is entry


def draw_by_weight(best: Entry, tip: Entry, count: int, rng: Randomness) -> tuple[Entry, ...]:
    """Draw headers between the tip's branch and the header `best`, each with a chance by its weight."""
    base = find_fork(best, tip)
    drawn = []
    for _ in range(count):
        # weights fit 64 bits a block; 128 random bits leave no bias that matters
        goal = base.weight + rng.getrandbits(128) % (best.weight - base.weight)
        low, high = int(base.height), int(best.height)
        while low + 1 < high:
            middle = (low + high) // 2
            if get_ancestor(best, middle).weight > goal:
                high = middle
            else:
                low = middle
        drawn.append(get_ancestor(best, high))
    return tuple(drawn)
