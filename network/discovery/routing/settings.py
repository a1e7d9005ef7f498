"""These are the sizes, times and rates of routing, with their reasons."""

from typing import Final

from msgspec import Struct

K: Final = 20
"""A bucket has this many contacts, this many nodes store a record, and an answer names this many contacts."""
ALPHA: Final = 3
"""One lookup has this many requests in flight at the same time."""
MAX_IN_FLIGHT: Final = 9
"""One lookup has at most this many requests in flight, including those that are slow to be answered."""
GROUP_IN_BUCKET: Final = 2
GROUP_IN_TABLE: Final = 10
"""A table has at most this many contacts of one network group, so that one provider's machines cannot fill it."""
GROUP_IN_SHORTLIST: Final = 4
"""Of the k nearest nodes that a lookup returns, at most this many share a group, so that ids ground for a key do not
own it."""


class RoutingSettings(Struct, frozen=True, kw_only=True):
    """Times are in seconds, and limits are numbers of things."""

    query: float = 5.0
    """A node is reached and answers within this time."""
    slow: float = 1.0
    """A request that is unanswered after this time no longer counts against ALPHA."""
    lookup: float = 60.0
    confirm: float = 10.0
    """A provider is reached and sends the matrix's head and one strip within this time; each of them has at most
    `query`."""
    refresh_s: float = 3600.0
    """A bucket in which nothing was looked up for this long is refreshed."""
    own_refresh_s: float = 600.0
    """This node looks up its own id this often, so that new neighbours are found and find this node."""
    check_again_s: float = 60.0
    """A contact that was seen within this time counts as alive without a ping."""
    record_ttl_s: float = 6 * 3600.0
    """A record that a provider announced counts for this long."""
    provide_again_s: float = 2 * 3600.0
    """This is early enough to leave two attempts before a record expires, since the nodes near a key change."""
    provide_pace_s: float = 1.0
    """Two lookups for announcements are at least this far apart; a store of many matrices is announced at this pace."""
    max_provided: int = 4096
    """This node announces at most this many matrices; those that it has had the longest are dropped first."""
    records_per_key: int = 20
    records_per_key_group: int = 3
    records_per_provider: int = 1024
    records_per_group: int = 4096
    max_records: int = 32_768
    """Each record takes about 400 bytes."""
    providers_tried: int = 64
    """One search tries at most this many providers, so that invented ones do not keep it busy."""
