"""What the rules must know of a header's ancestors."""

from msgspec import Struct

from inos.primitives.blocks import Header
from inos.primitives.units import BlockId, Height, Target, TimeMs


class AsertAnchor(Struct, frozen=True):
    """Block 1 of the header's own branch: where the target's schedule starts."""

    height: Height
    time_ms: TimeMs
    target: Target


class HeaderContext(Struct, frozen=True):
    """The parent of a header to be checked, and what is needed of the blocks before it."""

    parent: Header
    parent_id: BlockId
    recent_times_ms: tuple[TimeMs, ...]
    """Times of the last blocks in order of height, the parent last; at most `median_time_blocks` count."""
    first: AsertAnchor | None
    """Block 1, or None when the parent is genesis."""
