"""Workers that broke a rule are refused for a time."""

from collections import OrderedDict
from collections.abc import Iterable

from inos.workers.limits import MAX_BANS


class Bans:
    """Remembers identities and addresses of workers that are refused. The oldest are forgotten above MAX_BANS."""

    def __init__(self) -> None:
        self._until: OrderedDict[bytes, float] = OrderedDict()

    def add(self, keys: Iterable[bytes], until: float) -> None:
        for key in keys:
            self._until[key] = max(until, self._until.pop(key, 0.0))
        while len(self._until) > MAX_BANS:
            self._until.popitem(last=False)

    def get_rest(self, keys: Iterable[bytes], now: float) -> float:
        """Return for how many more seconds one of these keys is refused; 0 if none is."""
        return max((self._until.get(key, 0.0) - now for key in keys), default=0.0)
