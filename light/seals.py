"""The seals of headers that no final block covers are checked: a header claims work, and its witness proves it.

A header has only the digest of its seal; the witness, 33 KB, proves it. All of the last `LAST` blocks are checked, and
`SAMPLES` drawn at random from those before them. If one block in ten is forged, 97 of 100 such chains are detected;
with fewer forged blocks, the attacker must do nearly all of an honest chain's work.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from inos.chain.entry import Entry, find_fork
from inos.consensus.params import Params
from inos.consensus.validity import check_seal
from inos.light.errors import Lie, LightError, Unknown
from inos.light.headers import Headers
from inos.primitives.errors import RuleViolation
from inos.primitives.matrices import Witness
from inos.primitives.units import BlockId

LAST: Final = 32
SAMPLES: Final = 32
AT_ONCE: Final = 8


class WitnessSource(Protocol):
    """Sends witnesses, as a node does."""

    @property
    def url(self) -> str: ...

    async def get_witnesses(self, blocks: Sequence[BlockId]) -> list[Witness | None]: ...


class Sampler(Protocol):
    """Draws a random sample; random.Random satisfies it."""

    def sample(self, population: Sequence[Entry], k: int) -> list[Entry]: ...


class Seals:
    """Remembers up to where the heaviest chain was checked."""

    def __init__(self, params: Params, headers: Headers, rng: Sampler) -> None:
        self._params = params
        self._headers = headers
        self._rng = rng
        self._seen = headers.final
        """Seals were checked up to this block."""
        self.checked = 0
        """This many witnesses were checked since the start."""

    def is_vouched(self, entry: Entry) -> bool:
        """Return True if the chain up to this block was checked."""
        seen = self._get_seen()
        return find_fork(entry, seen) is entry or entry.height <= self._headers.final.height

    def _get_seen(self) -> Entry:
        """Return the block up to which the chain was checked; a final block needs no other check."""
        final = self._headers.final
        return self._seen if self._seen.height >= final.height else final

    async def check(self, top: Entry, sources: Sequence[WitnessSource]) -> None:
        """Check the chain up to `top`, a block whose header `sources[0]` gave.

        Raises:
            Lie: a source's witness proves nothing; the header and its descendants are marked invalid.
            Unknown: "seal-unavailable": no node has a witness.
            LightError: the last source refused.
        """
        if self.is_vouched(top):
            return
        below = max(find_fork(top, self._get_seen()).height, self._headers.final.height)
        unseen = [entry for entry in self._headers.list_unproven(top) if entry.height > below]
        older = unseen[LAST:]
        chosen = unseen[:LAST] + (older if len(older) <= SAMPLES else self._rng.sample(older, SAMPLES))
        for first in range(0, len(chosen), AT_ONCE):
            await self._prove(chosen[first : first + AT_ONCE], sources)
        self._seen = top

    async def _prove(self, entries: list[Entry], sources: Sequence[WitnessSource]) -> None:
        missing = entries
        refusal: LightError | None = None
        for source in sources:
            try:
                found = await source.get_witnesses([entry.id for entry in missing])
            except LightError as error:
                refusal = error
                continue
            for entry, witness in zip(missing, found, strict=True):
                if witness is not None:
                    await self._look(entry, witness, source.url)
            missing = [entry for entry, witness in zip(missing, found, strict=True) if witness is None]
            if not missing:
                return
        if refusal is not None:
            raise refusal
        raise Unknown(
            "seal-unavailable",
            f"no node has the witness of block {missing[0].height}",
            hint="name a node that has the whole chain with --node, or a final block you trust with --checkpoint",
        )

    async def _look(self, entry: Entry, witness: Witness, url: str) -> None:
        check: Callable[[], None] = lambda: check_seal(self._params, entry.header, witness)  # noqa: E731
        try:
            await asyncio.to_thread(check)
        except RuleViolation as error:
            self._headers.index.set_invalid(entry, "bad-seal", error.message)
            text = f"the seal of block {entry.height} is not proven by its witness: [{error.code}] {error.message}"
            raise Lie("lied-about-seals", url, text) from error
        self._headers.set_proven(entry.id)
        self.checked += 1
