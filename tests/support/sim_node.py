"""A node of the simulated network: the real services, over a ledger in memory, on the loop's own thread.

The transport, the clock, randomness, the database's disk and the threads are replaced, and so is the check of seals,
which knows which blocks were mined. Everything else is the code of a real node.
"""

import asyncio
import random
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import msgspec

from inos.chain.events import TipChanged
from inos.chain.ledger import Ledger
from inos.chain.mempool import Mempool, MempoolLimits
from inos.chain.opening import begin_database, load_index
from inos.chain.snapshot.importer import Importer
from inos.consensus.params import Params
from inos.core.node_core import NodeCore
from inos.core.verification.backends import InlineBackend
from inos.core.verification.results import StoredResults
from inos.genesis import Network
from inos.mesh.store import MatrixStore
from inos.network.files import MemoryFiles
from inos.network.identity import NodeIdentity, PeerAddress
from inos.network.ports import NodePort
from inos.network.service import NetworkService
from inos.network.settings import NetworkSettings
from inos.network.transport.simulated import Line, SimulatedNetwork
from inos.primitives.blocks import Block, Header, compute_block_id, compute_difficulty
from inos.primitives.bls import get_bls
from inos.primitives.errors import InvalidCertificate
from inos.primitives.matrices import STRIP_BYTES, DType, Seal, Witness, make_matrix_ref
from inos.primitives.units import Address, BlockId, Hash, NodeId, Target, TimeMs
from support.chain_maker import MadeBlock
from support.inline_threads import InlineThreads
from support.sim_database import MemoryDatabase

SEAL_S: Final = 0.001
"""The time to check a seal (docs/benchmarks.md: 0.6 ms on one core, plus the transfer to the process and back)."""
START_MS: Final = 1_700_000_000_000
OPERANDS: Final = tuple(make_matrix_ref(DType.INT7, 16, 1024, Hash(bytes([n]) * 32)) for n in (1, 2))


class SimClock:
    """The loop's time; `skew_ms` is the error of this node's wall clock."""

    def __init__(self, loop: asyncio.AbstractEventLoop, skew_ms: int = 0) -> None:
        self._loop = loop
        self.skew_ms = skew_ms

    def now_ms(self) -> TimeMs:
        return TimeMs(START_MS + int(self._loop.time() * 1000) + self.skew_ms)

    def monotonic(self) -> float:
        return self._loop.time()


class Mint:
    """The record of mined blocks. A block without an entry is a forgery, like one whose seal proves nothing."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self.mined: dict[BlockId, Witness] = {}

    def seal(self, block: Block, allowed: int) -> MadeBlock:
        """Return the block with a seal that counts."""
        made = self.forge(block, allowed)
        self.mined[made.id] = made.witness
        return made

    def forge(self, block: Block, allowed: int) -> MadeBlock:
        """Return the block with a seal that does not count; it differs from a mined one only in the witness."""
        digest = self._rng.randrange(allowed + 1).to_bytes(32, "big")
        header = msgspec.structs.replace(
            block.header, nonce=self._rng.getrandbits(64), seal=Seal(*OPERANDS, 0, 0, 0, digest)
        )
        strip = digest * (STRIP_BYTES // 32)
        return MadeBlock(Block(header, block.transactions, block.aggregate), Witness(strip, (), strip, ()))

    def check(self, params: Params, header: Header, witness: Witness) -> None:
        """Replace inos.consensus.validity.check_seal."""
        if self.mined.get(compute_block_id(header)) != witness:
            raise InvalidCertificate("digest-mismatch", f"nobody mined block {header.height}")


class Forgery(Mint):
    """A mint for lying nodes: it accepts any block and seals none with work, so a block can claim any weight."""

    def seal(self, block: Block, allowed: int) -> MadeBlock:
        return self.forge(block, allowed)

    def check(self, params: Params, header: Header, witness: Witness) -> None:
        return


class SimBackend(InlineBackend):
    """Make the check of seals take time."""

    async def check_seal(self, params: Params, header: Header, witness: Witness) -> None:
        await asyncio.sleep(SEAL_S)
        await super().check_seal(params, header, witness)


class Setting(msgspec.Struct, frozen=True):
    """The settings that all nodes of a world share."""

    chain: Network
    net: SimulatedNetwork
    mint: Mint
    folder: Path
    shared: dict[bytes, bytes]
    pool: MempoolLimits


class SimNode:
    """One node. `wrap` lets a liar stand between it and the network."""

    def __init__(
        self,
        setting: Setting,
        index: int,
        place: tuple[str, int],
        line: Line,
        settings: NetworkSettings,
        seed: str,
        *,
        skew_ms: int = 0,
        wrap: Callable[["SimNode"], NodePort] | None = None,
        on_tip: Callable[["SimNode", TipChanged], None] | None = None,
        awaits_state: int | None = None,
    ) -> None:
        self.index = index
        self.setting = setting
        self.place = place
        self.line = line
        self.settings = settings
        self.identity = NodeIdentity(sha256(seed.encode()).digest())
        self.rng = random.Random(seed)
        self.clock = SimClock(asyncio.get_running_loop(), skew_ms)
        self._on_tip = on_tip
        self.payee: Address | None = None
        """The account that it mines for, if it is not its own."""
        self.files = MemoryFiles()
        """The network's files, which survive a restart."""
        self.matrices = MatrixStore(setting.folder / f"{index}")
        results = StoredResults(self.matrices)
        self.full_ledger = open_memory_ledger(setting.chain, results, setting.mint, setting.shared, awaits_state)
        self.ledger = self.full_ledger.view
        pool = Mempool(setting.chain.params, setting.pool)
        backend = SimBackend(get_bls(), setting.mint.check)
        self.core = NodeCore(
            setting.chain,
            self.full_ledger,
            pool,
            self.matrices,
            results,
            self.clock,
            bls=get_bls(),
            backend=backend,
            threads=InlineThreads(),
        )
        self.port: Any = self.core if wrap is None else wrap(self)
        self.net: NetworkService | None = None
        self._task: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"SimNode({self.index})"

    @property
    def id(self) -> NodeId:
        return self.identity.node_id

    @property
    def address(self) -> PeerAddress:
        return PeerAddress(self.id, *self.place)

    @property
    def beneficiary(self) -> Address:
        return Address(self.id[:20]) if self.payee is None else self.payee

    @property
    def is_up(self) -> bool:
        return self._task is not None

    @property
    def peer_ids(self) -> list[NodeId]:
        return [] if self.net is None else [peer.id for peer in self.net.peers()]

    def list_queues(self) -> list[int]:
        """Return the bytes that wait to be sent, by peer."""
        return [] if self.net is None else [peer.bytes_waiting for peer in self.net.peers()]

    async def start(self, group: asyncio.TaskGroup) -> None:
        """Start with the chain as it was left."""
        transport = self.setting.net.make_transport(self.id, *self.place, self.line)
        self.net = NetworkService(
            self.port,
            self.settings,
            self.identity,
            clock=self.clock,
            rng=self.rng,
            transport=transport,
            files=self.files,
        )
        await self.net.start()
        self._task = group.create_task(self._run(self.net))

    async def _run(self, net: NetworkService) -> None:
        async with asyncio.TaskGroup() as group:
            for work in (net.run(), self.core.run(), self._watch()):
                group.create_task(work)

    async def _watch(self) -> None:
        async with self.core.events.subscribe() as events:
            async for event in events:
                if isinstance(event, TipChanged) and self._on_tip is not None:
                    self._on_tip(self, event)

    async def stop(self) -> None:
        """Close every link and end."""
        task, self._task = self._task, None
        if self.net is not None and task is not None:
            await self.net.stop()
            task.cancel()
            await asyncio.wait((task,))

    def compute_difficulty(self) -> int:
        """Return the number of tickets that the next block takes on average."""
        return compute_difficulty(self.full_ledger.compute_next()[1])

    async def draft(self) -> tuple[Block, Target]:
        """Return the next block, unsealed, and the target for its digest."""
        template = await self.core.templates.make(self.beneficiary)
        return Block(template.header, template.transactions, template.aggregate), template.allowed_target


def open_memory_ledger(
    chain: Network, results: StoredResults, mint: Mint, shared: dict[bytes, bytes], awaits_state: int | None = None
) -> Ledger:
    """Return the real ledger at genesis, with nothing on disk."""
    database: Any = MemoryDatabase(shared)
    begin_database(database, chain.state)
    index = load_index(database, chain.params, chain.state)
    ledger = Ledger(chain.params, database, index, results, get_bls(), seal_check=mint.check)
    if awaits_state is not None:
        ledger.await_state(Importer(database, index, chain.state, awaits_state))
    return ledger
