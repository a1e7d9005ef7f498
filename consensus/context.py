"""The data about a header's ancestors that the rules need."""

from msgspec import Struct

from inos.primitives.blocks import Header
from inos.primitives.units import BlockId, Height, Target, TimeMs


class AsertAnchor(Struct, frozen=True):
    """Block 1 of the header's own branch, where the target schedule begins."""

    height: Height
    time_ms: TimeMs
    target: Target


class HeaderContext(Struct, frozen=True):
    """The parent of a header that is checked, and the needed data of the blocks before it."""

    parent: Header
    parent_id: BlockId
    recent_times_ms: tuple[TimeMs, ...]
    """Times of the last blocks in order of height, the parent last; at most `median_time_blocks` are used."""
    first: AsertAnchor | None
    """Block 1, or None if the parent is genesis."""
