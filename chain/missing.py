"""Which bodies are missing on branches that count. The work hardly grows with the chain's length."""

from collections.abc import Iterable
from itertools import islice

from inos.chain.entry import Entry, get_ancestor, iterate_back
from inos.primitives.units import BlockId


def list_missing(branches: Iterable[Entry], root: Entry, limit: int) -> list[BlockId]:
    """Return at most `limit` ids of blocks without bodies, each once: those of the first branch from its lowest block,
    then those of the next.

    Args:
        branches: the ends of the branches.
        root: a linked block from which most branches descend.
    """
    missing: dict[BlockId, None] = {}
    for best in branches:
        if len(missing) < limit:
            missing.update(dict.fromkeys(_list_missing(best, root, limit)))
    return list(missing)[:limit]


def _list_missing(best: Entry, root: Entry, limit: int) -> list[BlockId]:
    missing: list[BlockId] = []
    height = _find_gap(best, root)
    while len(missing) < limit and height <= best.height:
        top = get_ancestor(best, min(best.height, height + limit - 1))
        part = list(islice(iterate_back(top), top.height - height + 1))
        missing += [entry.id for entry in reversed(part) if not entry.has_body]
        height = top.height + 1
    return missing[:limit]


def _find_gap(best: Entry, root: Entry) -> int:
    """Return the lowest height on the chain up to `best` that is not linked, by binary search, since all blocks below
    it are linked.
    """
    is_above_root = best.height >= root.height and get_ancestor(best, root.height) is root
    low, high = root.height if is_above_root else 0, best.height + 1
    while low + 1 < high:
        middle = (low + high) // 2
        if get_ancestor(best, middle).is_linked:
            low = middle
        else:
            high = middle
    return low + 1
