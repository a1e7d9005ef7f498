"""These messages carry headers by locator, blocks by id, and announcements of blocks."""

from typing import Annotated, Final

from msgspec import Meta

from inos.network.wire.base import Notice, Reply, Request
from inos.primitives.blocks import Block, Header
from inos.primitives.matrices import Hash32, Witness

MAX_LOCATOR: Final = 64
MAX_HEADERS: Final = 512
MAX_BLOCK_IDS: Final = 16


class GetHeaders(Request, frozen=True, tag=5):
    """Requests the headers after the last block of the locator that the other side has on its best chain."""

    locator: Annotated[tuple[Hash32, ...], Meta(max_length=MAX_LOCATOR)]


class Headers(Reply, frozen=True, tag=6):
    """Carries headers in order, each the parent of the next. If there are MAX_HEADERS of them, there are more."""

    headers: Annotated[tuple[Header, ...], Meta(max_length=MAX_HEADERS)]


class AnnounceBlock(Notice, frozen=True, tag=7):
    """Announces a block that the sender has connected."""

    header: Header


class GetBlocks(Request, frozen=True, tag=8):
    """Requests blocks; each id is answered by one BlockData or named in a NotFound."""

    ids: Annotated[tuple[Hash32, ...], Meta(min_length=1, max_length=MAX_BLOCK_IDS)]


class BlockData(Reply, frozen=True, tag=9):
    block: Block
    witness: Witness
