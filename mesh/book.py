"""Remembers what a store's files do not say: pins, the quota, and how often each matrix is requested."""

import os
import secrets
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Final

from msgspec import Meta, Struct

from inos.mesh.demand import Demand
from inos.mesh.files import sync_folder
from inos.primitives.codec import decode, encode
from inos.primitives.errors import CodecError
from inos.primitives.matrices import Hash32
from inos.primitives.units import MatrixId

NAME: Final = "book"
OLD_SUFFIX: Final = ".old"
VERSION: Final = 1
MAX_PINS: Final = 65_536
MAX_USES: Final = 262_144
MAX_BOOK_BYTES: Final = 32 << 20
U63 = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class _Use(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    id: Hash32
    milli: U63
    """Counts in thousandths of a request."""
    at_ms: U63
    used_ms: U63
    is_own: bool
    is_lent: bool


class _Saved(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    version: U63
    quota: U63 | None
    pins: Annotated[tuple[Hash32, ...], Meta(max_length=MAX_PINS)]
    uses: Annotated[tuple[_Use, ...], Meta(max_length=MAX_USES)]


class Use(Struct):
    """Records how a matrix was used."""

    demand: Demand
    used_ms: int
    is_own: bool = False
    is_lent: bool = False


class Book:
    """Keeps its records in memory and writes them in one step by `save`. If the last file cannot be read, the one
    before it is."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self.pins: dict[MatrixId, None] = {}
        self.uses: dict[MatrixId, Use] = {}
        self.quota: int | None = None
        """The owner set it while the node ran; None if the owner set none."""
        self._load()

    def note(
        self, matrix: MatrixId, now_ms: int, requests: float = 0.0, *, is_own: bool = False, is_lent: bool = False
    ) -> None:
        """Record that a matrix was used, `requests` times by others; `is_own`: it was stored or made on this
        machine; `is_lent`: it is kept for others."""
        use = self.uses.get(matrix)
        if use is None:
            use = self.uses[matrix] = Use(Demand(), now_ms)
        use.used_ms = max(use.used_ms, now_ms)
        use.is_own = use.is_own or is_own
        use.is_lent = use.is_lent or is_lent
        if requests:
            use.demand = use.demand.add(now_ms, requests)

    def get(self, matrix: MatrixId) -> Use:
        return self.uses.get(matrix) or Use(Demand(), 0)

    def forget(self, matrix: MatrixId) -> None:
        self.uses.pop(matrix, None)

    def keep_only(self, matrices: Collection[MatrixId]) -> None:
        """Forget how all others were used, so that the book does not grow; pins stay."""
        for matrix in self.uses.keys() - matrices:
            del self.uses[matrix]

    def save(self, folder: Path | None = None) -> None:
        """Write the book, into another store's folder if one is given.

        Raises:
            OSError: the disk refuses; the old file is still there.
        """
        path = self._path if folder is None else folder / NAME
        uses = sorted(self.uses.items(), key=lambda item: -item[1].used_ms)[:MAX_USES]
        saved = _Saved(
            VERSION,
            self.quota,
            tuple(self.pins)[:MAX_PINS],
            tuple(_pack(id, use) for id, use in uses),
        )
        temporary = path.with_name(f"{NAME}.{secrets.token_hex(4)}.new")
        try:
            with temporary.open("wb") as file:
                file.write(encode(saved))
                file.flush()
                os.fsync(file.fileno())
            if path.exists():
                path.replace(path.with_suffix(OLD_SUFFIX))
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        sync_folder(path.parent)

    def _load(self) -> None:
        saved = _read(self._path) or _read(self._path.with_suffix(OLD_SUFFIX))
        if saved is None:
            return
        self.quota = saved.quota
        self.pins = dict.fromkeys(MatrixId(id) for id in saved.pins)
        for use in saved.uses:
            self.uses[MatrixId(use.id)] = Use(Demand(use.milli / 1000, use.at_ms), use.used_ms, use.is_own, use.is_lent)


def _read(path: Path) -> _Saved | None:
    try:
        return decode(_Saved, path.read_bytes(), limit=MAX_BOOK_BYTES)
    except (OSError, CodecError):
        return None


def _pack(id: MatrixId, use: Use) -> _Use:
    return _Use(id, int(use.demand.value * 1000), use.demand.at_ms, use.used_ms, use.is_own, use.is_lent)
