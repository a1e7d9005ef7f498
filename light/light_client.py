"""The light client asks every source again and again for headers, seals of new blocks, and steps of finality."""

import asyncio
from collections.abc import Sequence
from typing import Final

import structlog
from msgspec import Struct

from inos.chain.entry import Entry
from inos.consensus.codes import Code
from inos.consensus.finality import compute_epoch
from inos.genesis import Network
from inos.light.errors import Lie, LightError, Unknown
from inos.light.finality import FinalityTracker
from inos.light.headers import Headers
from inos.light.seals import Sampler, Seals
from inos.light.source import MAX_HEADERS, Source
from inos.primitives.blocks import Header
from inos.primitives.bls import Bls
from inos.primitives.clock import Clock
from inos.primitives.errors import InosError, NotYet, ParentMissing, RuleViolation
from inos.primitives.units import BlockId, TimeMs
from inos.primitives.votes import Checkpoint

log: Final = structlog.get_logger("light")
POLL_S: Final = 2.0
MAX_LIES: Final = 64


class RecordedLie(Struct, frozen=True):
    """Records one lie with the time at which it was detected."""

    source: str
    code: str
    message: str
    at_ms: TimeMs


class LightClient:
    """Knows the chain, what is final, and which sources were caught lying."""

    def __init__(
        self,
        network: Network,
        sources: Sequence[Source],
        clock: Clock,
        rng: Sampler,
        bls: Bls,
        checkpoint: Checkpoint | None,
    ) -> None:
        self.network = network
        self._clock = clock
        self.sources = list(sources)
        """These sources were not caught lying."""
        self.lies: list[RecordedLie] = []
        self.troubles: dict[str, str] = {}
        """This says by address why a source is not followed now."""
        self.conflict: LightError | None = None
        """Two proofs of finality contradict each other: the client answers nothing any more."""
        self.headers = Headers(network)
        self.seals = Seals(network.params, self.headers, rng)
        self.finality = FinalityTracker(network, checkpoint, self.headers, bls, self._is_best)
        self._met: set[str] = set()
        self._turn = asyncio.Lock()
        self.rounds = 0

    async def run(self) -> None:
        """Follow the sources until cancelled."""
        while True:
            await self.follow()
            await asyncio.sleep(POLL_S)

    async def follow(self) -> None:
        """Ask every source once."""
        for source in tuple(self.sources):
            await self.ask(source)
        self.rounds += 1

    async def ask(self, source: Source) -> None:
        """Learn what one source has, and record what goes wrong with the reason."""
        async with self._turn:
            try:
                await self._follow(source)
                self.troubles.pop(source.url, None)
            except Lie as lie:
                self.note_lie(lie)
            except (LightError, NotYet) as error:
                self._note_trouble(source, error)

    def note_lie(self, lie: Lie) -> None:
        """Record a lie, and ask its source no more."""
        log.error("a source lied", source=lie.source, code=lie.code, what=lie.message)
        self.lies = [*self.lies, RecordedLie(lie.source, lie.code, lie.message, self._clock.now_ms())][-MAX_LIES:]
        self.sources = [source for source in self.sources if source.url != lie.source]
        self.troubles.pop(lie.source, None)

    def _note_trouble(self, source: Source, error: InosError) -> None:
        if isinstance(error, LightError) and error.code == "conflicting-finality":
            self.conflict = error
        if self.troubles.get(source.url) != error.message:
            log.warning("a source is not followed", source=source.url, code=error.code, reason=error.message)
        self.troubles[source.url] = error.message

    async def _follow(self, source: Source) -> None:
        await self._meet(source)
        try:
            await self._learn_headers(source)
        except Lie as lie:
            await self._look_for_conflict(source)
            raise lie
        try:
            await self.finality.follow(source)
        except NotYet as error:
            if error.code != Code.WORK_UNKNOWN:
                raise
            await self._vouch(self.headers.index.heaviest, source)
            await self.finality.follow(source)
        self._settle()

    async def _look_for_conflict(self, source: Source) -> None:
        """Check whether voters signed two chains: then the source that shows the other chain did not lie.

        Raises:
            LightError: "conflicting-finality".
        """
        try:
            await self.finality.follow(source)
        except (LightError, NotYet) as error:
            if error.code == "conflicting-finality":
                raise
            log.info("source proves no other finality", source=source.url, code=error.code)

    async def _meet(self, source: Source) -> None:
        if source.url not in self._met:
            genesis = await source.get_genesis()
            if genesis != self.network.genesis_id.hex():
                raise LightError(
                    "other-genesis",
                    f"{source.url} is on the network with genesis {genesis[:64]}",
                    hint=f"this client follows {self.network.name}; see --network",
                )
            self._met.add(source.url)

    async def _vouch(self, top: Entry, source: Source) -> None:
        others = [other for other in self.sources if other is not source]
        await self.seals.check(top, [source, *others])

    def _is_best(self, block: BlockId) -> bool:
        if self.headers.is_final_checkpoint(block):
            return True
        entry = self.headers.index.get(block)
        return entry is not None and self.headers.is_on_best(block) and self.seals.is_vouched(entry)

    def _settle(self) -> None:
        """Make the last final checkpoint the lowest block of the tree, once its header is here."""
        final = self.finality.final
        entry = None if final is None else self.headers.index.get(BlockId(final.id))
        if final is None or entry is None or entry.height <= self.headers.final.height:
            return
        if compute_epoch(self.network.params, entry.height) != final.epoch:
            raise LightError(
                "bad-checkpoint", f"block {final.id.hex()} is at height {entry.height}, not where --checkpoint says"
            )
        self.headers.set_final(entry)
        log.info("final", height=entry.height, block=entry.id.hex())

    async def _learn_headers(self, source: Source) -> None:
        first = self.headers.index.heaviest.height + 1
        headers, height = await source.get_headers(first, MAX_HEADERS)
        if not headers:
            if height >= first:
                raise Unknown("no-headers", f"{source.url} is at height {height}, and gives no header {first}")
            headers, first = await self._walk_back(source, min(height, first - 1))
        elif self.headers.index.get(BlockId(headers[0].parent)) is None:
            headers, first = await self._walk_back(source, first - 1)
        while headers:
            self._add(source, headers, first)
            first += len(headers)
            headers = (await source.get_headers(first, MAX_HEADERS))[0] if len(headers) == MAX_HEADERS else []

    async def _walk_back(self, source: Source, height: int) -> tuple[list[Header], int]:
        """Walk back to where the source's chain and the one here are the same."""
        lowest, back = self.headers.final.height + 1, 0
        while height >= lowest:
            first = max(lowest, height - back)
            headers = (await source.get_headers(first, MAX_HEADERS))[0]
            if not headers or self.headers.index.get(BlockId(headers[0].parent)) is not None or first == lowest:
                return headers, first
            back = 2 * back + 1
        return [], height

    def _add(self, source: Source, headers: list[Header], first: int) -> None:
        try:
            if [header.height for header in headers] != list(range(first, first + len(headers))):
                raise RuleViolation(Code.BAD_HEIGHT, f"other heights than those asked for, from {first} on")
            self.headers.add(headers, self._clock.now_ms())
        except ParentMissing as error:
            if first > self.headers.final.height + 1:  # The source went to another branch between two requests.
                raise Unknown("branch-left", f"{source.url} has left the branch its headers were of") from error
            text = f"its header {first} does not follow the final block {self.headers.final.height}, nor any other here"
            raise Lie("lied-about-headers", source.url, text) from error
        except RuleViolation as error:
            raise Lie("lied-about-headers", source.url, f"an invalid header: [{error.code}] {error.message}") from error
