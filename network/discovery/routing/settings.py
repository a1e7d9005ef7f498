"""How large, how long and how often, with the reasons."""

from typing import Final

from msgspec import Struct

K: Final = 20
"""Contacts in a bucket, nodes that store a record, contacts in an answer."""
ALPHA: Final = 3
"""Questions of one lookup at one time."""
MAX_IN_FLIGHT: Final = 9
"""The same, counting those that are slow to answer."""
GROUP_IN_BUCKET: Final = 2
GROUP_IN_TABLE: Final = 10
"""Contacts of one network group: nobody fills a bucket from one provider's machines."""
GROUP_IN_SHORTLIST: Final = 4
"""Of the k nearest nodes a lookup ends with, so that ids ground for a key do not own it."""


class RoutingSettings(Struct, frozen=True, kw_only=True):
    """Seconds, and numbers of things."""

    query: float = 5.0
    """Reaching a node and its answer."""
    slow: float = 1.0
    """After this an unanswered question no longer counts against ALPHA."""
    lookup: float = 60.0
    confirm: float = 10.0
    """Reaching a provider, the matrix's head and one strip; each of them has `query` at most."""
    refresh_s: float = 3600.0
    """A bucket nothing was looked up in for so long is looked up in."""
    own_refresh_s: float = 600.0
    """Looking for oneself: new neighbours are learned, and learn of this node."""
    check_again_s: float = 60.0
    """A contact that was seen within this time is alive without being asked."""
    record_ttl_s: float = 6 * 3600.0
    """How long a record taken from its provider counts."""
    provide_again_s: float = 2 * 3600.0
    """Before the record expires with two attempts to spare, as the nodes near a key change."""
    provide_pace_s: float = 1.0
    """Between two lookups made to provide something: a store of many matrices is told of at this pace."""
    max_provided: int = 4096
    """Matrices this node provides; the ones it has longest go first."""
    records_per_key: int = 20
    records_per_key_group: int = 3
    records_per_provider: int = 1024
    records_per_group: int = 4096
    max_records: int = 32_768
    """About 400 bytes each."""
    providers_tried: int = 64
    """In one search, so that made-up providers do not keep it busy."""
