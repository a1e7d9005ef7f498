"""Merkle trees in the shape of RFC 6962, section 2.1, with the inner node's context as a parameter.

Leaves are hashes; a single leaf is its own root. The inclusion path lists the
sibling hashes from the leaf up. A range path does the same for neighbouring leaves: on each level, from the leaves
up, it has the sibling left of the range and then the one right of it, as far as they exist. For one leaf it is the
inclusion path.
"""

from collections.abc import Sequence

from inos.primitives.hashing import Context, compute_hash
from inos.primitives.units import HASH_BYTES, ZERO_HASH, Hash


def _split(count: int) -> int:
    """Return the largest power of two strictly below `count` (count >= 2)."""
    return 1 << ((count - 1).bit_length() - 1)


def compute_root(context: Context, leaves: Sequence[bytes]) -> Hash:
    """Return the root over `leaves`; the empty tree's root is 32 zero bytes.

    Folding neighbours level by level and carrying an odd last node up gives RFC 6962's shape.
    """
    if not leaves:
        return ZERO_HASH
    level = list(leaves)
    while len(level) > 1:
        paired = [compute_hash(context, level[i] + level[i + 1]) for i in range(0, len(level) - 1, 2)]
        level = paired + level[len(paired) * 2 :]
    return Hash(level[0])


def compute_path(context: Context, leaves: Sequence[bytes], index: int) -> tuple[Hash, ...]:
    """Return the inclusion path of leaf `index`, from the leaf's sibling upwards.

    Raises:
        IndexError: `index` is outside the leaves.
    """
    if not 0 <= index < len(leaves):
        raise IndexError(f"leaf {index} of a tree of {len(leaves)}")
    path: list[Hash] = []
    level = list(leaves)
    while len(level) > 1:
        sibling = index ^ 1
        if sibling < len(level):
            path.append(Hash(level[sibling]))
        paired = [compute_hash(context, level[i] + level[i + 1]) for i in range(0, len(level) - 1, 2)]
        level = paired + level[len(paired) * 2 :]
        index //= 2
    return tuple(path)


def compute_path_length(index: int, count: int) -> int:
    """Return how many siblings the path of leaf `index` has in a tree of `count` leaves."""
    length = 0
    while count > 1:
        split = _split(count)
        if index < split:
            count = split
        else:
            index, count = index - split, count - split
        length += 1
    return length


def compute_root_from_path(context: Context, leaf: bytes, index: int, count: int, path: Sequence[bytes]) -> Hash:
    """Return the root that `path` leads to from `leaf`. It is the tree's root if and only if the leaf is in it.

    Raises:
        ValueError: `index` is outside the tree, the path has the wrong length for it, or leaf or path are no hashes.
    """
    if not 0 <= index < count:
        raise ValueError(f"leaf {index} is outside a tree of {count}")
    _check_hashes((leaf, *path))
    length = compute_path_length(index, count)
    if len(path) != length:
        raise ValueError(f"the path of leaf {index} of {count} has {length} hashes, got {len(path)}")
    node, last = bytes(leaf), count - 1
    siblings = iter(path)
    while last > 0:
        if index % 2 == 1:
            node = compute_hash(context, next(siblings) + node)
        elif index < last:
            node = compute_hash(context, node + next(siblings))
        index, last = index // 2, last // 2
    return Hash(node)


def compute_range_path_length(first: int, count: int, total: int) -> int:
    """Return how many siblings the range path of leaves [first, first + count) has in a tree of `total` leaves."""
    low, high, last, length = first, first + count - 1, total - 1, 0
    while last > 0:
        length += low % 2 + (high % 2 == 0 and high < last)
        low, high, last = low // 2, high // 2, last // 2
    return length


def compute_root_from_range(
    context: Context, leaves: Sequence[bytes], first: int, total: int, path: Sequence[bytes]
) -> Hash:
    """Return the root that `path` leads to from the leaves [first, first + len(leaves)). It is the tree's root if and
    only if the tree has these leaves there.

    Raises:
        ValueError: the range is empty or outside the tree, the path has the wrong length for it, or leaves or path are
            no hashes.
    """
    if not (leaves and first >= 0 and first + len(leaves) <= total):
        raise ValueError(f"leaves {first} to {first + len(leaves)} are not a range of a tree of {total}")
    _check_hashes((*leaves, *path))
    length = compute_range_path_length(first, len(leaves), total)
    if len(path) != length:
        place = f"{len(leaves)} leaves from {first} of {total}"
        raise ValueError(f"the path of {place} has {length} hashes, got {len(path)}")
    level, low, last = list(leaves), first, total - 1
    siblings = iter(path)
    while last > 0:
        if low % 2:
            level.insert(0, next(siblings))
        high = low - low % 2 + len(level) - 1
        if high % 2 == 0 and high < last:
            level.append(next(siblings))
        paired = [compute_hash(context, level[at] + level[at + 1]) for at in range(0, len(level) - 1, 2)]
        level = paired + level[2 * len(paired) :]
        low, last = low // 2, last // 2
    return Hash(level[0])


def _check_hashes(nodes: Sequence[bytes]) -> None:
    """Refuse nodes of another length: two of them put together could be read as two others."""
    for node in nodes:
        if len(node) != HASH_BYTES:
            raise ValueError(f"a node of a tree has {HASH_BYTES} bytes, and not {len(node)}")
