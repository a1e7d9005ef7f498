"""Bans last for a limited time and are kept over restarts: of nodes by id, and of groups in which several
misbehaved."""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable
from typing import Annotated, Final

import structlog
from msgspec import Meta, Struct

from inos.network.endpoints import describe_group, is_public_group
from inos.network.files import load, save
from inos.network.ports import Files
from inos.primitives.clock import Clock
from inos.primitives.transactions import U64
from inos.primitives.units import NodeId, TimeMs

log = structlog.get_logger("inos.network")

BANS_FILE: Final = "bans"
MAX_BANS: Final = 4096
"""At most this many bans of each kind are kept; the oldest are dropped first."""
MAX_FILE_BYTES: Final = 4 << 20
GROUP_IDS: Final = 4
"""If this many nodes of a group are banned within `GROUP_WINDOW_MS`, the group is banned too, because ids cost
nothing."""
GROUP_WINDOW_MS: Final = 3_600_000
STATIC_BAN_S: Final = 60.0
"""A peer that the user named is banned for at most this long and then dialled again."""
SAVE_S: Final = 5.0


class Ban(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A node or a network group is banned."""

    subject: Annotated[bytes, Meta(max_length=300)]
    """The ban applies to this id of a node or this network group."""
    until_ms: U64
    since_ms: U64
    reason: Annotated[str, Meta(max_length=64)]


class StoredBans(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    ids: Annotated[tuple[Ban, ...], Meta(max_length=MAX_BANS)]
    groups: Annotated[tuple[Ban, ...], Meta(max_length=MAX_BANS)]


class BanList:
    """Keeps bans by id and by group, bounded in number, each for a limited time.

    Args:
        ban_s: the length of a ban in seconds.
        static: the nodes that the user named; they are banned briefly, and never for their group.
    """

    def __init__(self, ban_s: float, static: Iterable[NodeId], files: Files, clock: Clock) -> None:
        self._ban_s = ban_s
        self._static = frozenset(static)
        self._files = files
        self._clock = clock
        self._ids: OrderedDict[bytes, Ban] = OrderedDict()
        self._groups: OrderedDict[bytes, Ban] = OrderedDict()
        self._recent: OrderedDict[bytes, dict[NodeId, int]] = OrderedDict()
        """For each group, these nodes of it were banned recently, at these times."""
        self._is_changed = False

    def is_banned(self, id: NodeId, group: bytes = b"") -> bool:
        """Return True if the node is banned, for itself or for its group."""
        if self._is_in_force(self._ids, id):
            return True
        return id not in self._static and bool(group) and self._is_in_force(self._groups, group)

    def _is_in_force(self, bans: OrderedDict[bytes, Ban], subject: bytes) -> bool:
        ban = bans.get(subject)
        if ban is not None and ban.until_ms <= self._clock.now_ms():
            del bans[subject]
            return False
        return ban is not None

    def ban(self, id: NodeId, group: bytes, reason: str) -> None:
        """Ban a node for the time that the settings say, and its group if several of its nodes were banned recently."""
        now = self._clock.now_ms()
        span_s = min(self._ban_s, STATIC_BAN_S) if id in self._static else self._ban_s
        self._enter(self._ids, Ban(id, now + int(span_s * 1000), now, reason[:64]))
        log.warning("peer banned", peer=id.hex()[:12], group=describe_group(group), code=reason, seconds=span_s)
        if id in self._static or not is_public_group(group):
            return
        recent = {other: at for other, at in self._recent.pop(group, {}).items() if now - at < GROUP_WINDOW_MS}
        recent[id] = now
        if len(recent) < GROUP_IDS:
            self._recent[group] = recent
            if len(self._recent) > MAX_BANS:
                self._recent.popitem(last=False)
            return
        self._enter(self._groups, Ban(group, now + int(self._ban_s * 1000), now, f"{len(recent)} nodes of it"))
        log.warning("network group banned", group=describe_group(group), nodes=len(recent), seconds=self._ban_s)

    def _enter(self, bans: OrderedDict[bytes, Ban], ban: Ban) -> None:
        bans[ban.subject] = ban
        bans.move_to_end(ban.subject)
        if len(bans) > MAX_BANS:
            bans.popitem(last=False)
        self._is_changed = True

    def lift(self, subject: str) -> int:
        """End bans and return their number.

        The subject is the beginning of a node's id in hex, the description of a group, or "all".
        """
        now, count = self._clock.now_ms(), 0
        for bans, name in ((self._ids, lambda s: s.hex()), (self._groups, describe_group)):
            for key in [key for key in bans if subject == "all" or _is_named(name(key), subject)]:
                count += bans.pop(key).until_ms > now
        self._recent.clear()
        self._is_changed = True
        return count

    def list_ids(self) -> list[Ban]:
        """Return the nodes that are banned now, the oldest ban first."""
        return [ban for ban in self._ids.values() if ban.until_ms > self._clock.now_ms()]

    def list_groups(self) -> list[Ban]:
        """Return the network groups that are banned now."""
        return [ban for ban in self._groups.values() if ban.until_ms > self._clock.now_ms()]

    async def load(self) -> None:
        """Restore the bans of the last run that have not expired."""
        stored = await load(self._files, BANS_FILE, StoredBans, MAX_FILE_BYTES)
        if stored is None:
            return
        now, latest = self._clock.now_ms(), TimeMs(self._clock.now_ms() + int(self._ban_s * 1000))
        for bans, entries in ((self._ids, stored.ids), (self._groups, stored.groups)):
            for ban in entries:
                # A clock that was wrong when the ban was written must not make the ban last for ever.
                if now < ban.until_ms <= latest:
                    bans.setdefault(ban.subject, ban)

    async def save(self) -> None:
        """Write the bans if they changed."""
        if self._is_changed:
            self._is_changed = False
            stored = StoredBans(tuple(self.list_ids()), tuple(self.list_groups()))
            self._is_changed = not await save(self._files, BANS_FILE, stored)

    async def run(self) -> None:
        """Save changes repeatedly, until cancelled."""
        while True:
            await asyncio.sleep(SAVE_S)
            await self.save()


def _is_named(name: str, subject: str) -> bool:
    return name == subject or (len(subject) >= 8 and len(name) == 64 and name.startswith(subject.lower()))
