"""A skeleton names blocks of a chain at equal distances, so that many peers can send the headers between them."""

from typing import Annotated, Final

from msgspec import Meta

from inos.network.wire.base import Reply, Request
from inos.network.wire.chain import MAX_HEADERS, MAX_LOCATOR
from inos.primitives.matrices import Hash32

MAX_SKELETON_IDS: Final = 64


class GetSkeleton(Request, frozen=True, tag=35):
    """Requests the ids `step`, 2 * `step`, ... blocks after the last block of the locator that the receiver has on its
    chain."""

    locator: Annotated[tuple[Hash32, ...], Meta(max_length=MAX_LOCATOR)]
    step: Annotated[int, Meta(ge=1, le=MAX_HEADERS)]


class Skeleton(Reply, frozen=True, tag=36):
    """Claims ids that the headers between them prove or refute."""

    start: Hash32
    """The steps count from this block of the locator; it is genesis if none is on the chain."""
    ids: Annotated[tuple[Hash32, ...], Meta(max_length=MAX_SKELETON_IDS)]
