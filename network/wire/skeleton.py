"""Every so-many-th block of a chain, so that the headers between them can be asked of many peers at once."""

from typing import Annotated, Final

from msgspec import Meta

from inos.network.wire.base import Reply, Request
from inos.network.wire.chain import MAX_HEADERS, MAX_LOCATOR
from inos.primitives.matrices import Hash32

MAX_SKELETON_IDS: Final = 64


class GetSkeleton(Request, frozen=True, tag=35):
    """Ids `step`, 2 * `step`, ... blocks after the last block of the locator that the other side has on its chain."""

    locator: Annotated[tuple[Hash32, ...], Meta(max_length=MAX_LOCATOR)]
    step: Annotated[int, Meta(ge=1, le=MAX_HEADERS)]


class Skeleton(Reply, frozen=True, tag=36):
    """A claim: the headers between prove it or not."""

    start: Hash32
    """The locator's block it counts from; genesis where none is on the chain."""
    ids: Annotated[tuple[Hash32, ...], Meta(max_length=MAX_SKELETON_IDS)]
