"""Workers that broke a rule are refused for a time."""

import ipaddress
from collections import OrderedDict
from collections.abc import Iterable

from inos.workers.limits import MAX_BANS


def make_ban_keys(identity: bytes, host: str, *, is_fleet: bool) -> tuple[bytes, ...]:
    """Return what is refused if this worker breaks a rule: its identity, and a stranger's IP address.

    The address that a worker is paid to is its own word: refusing it would let anybody shut others out. The loopback
    address is never refused, because a proxy on this machine connects many workers from there.
    """
    try:
        is_alone = not is_fleet and not ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_alone = False
    return (identity, host.encode()) if is_alone else (identity,)


class Bans:
    """Remembers identities and IP addresses of workers that are refused. The oldest are forgotten above MAX_BANS."""

    def __init__(self) -> None:
        self._until: OrderedDict[bytes, float] = OrderedDict()

    def add(self, keys: Iterable[bytes], until: float) -> None:
        for key in keys:
            self._until[key] = max(until, self._until.pop(key, 0.0))
        while len(self._until) > MAX_BANS:
            self._until.popitem(last=False)

    def get_rest(self, keys: Iterable[bytes], now: float) -> float:
        """Return for how many more seconds one of these keys is refused; 0 if none is."""
        return max((0.0, *(self._until.get(key, 0.0) - now for key in keys)))
