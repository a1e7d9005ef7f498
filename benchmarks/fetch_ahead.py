#!/usr/bin/env python3
"""Simulate which share of tasks begins without a fetch, with and without the miners' preference and fetching ahead.

    python benchmarks/fetch_ahead.py            print the table of docs/benchmarks.md
    python benchmarks/fetch_ahead.py --seed 2   of another run

The choices are made by the code that miners run: inos.miner.policy (what is taken), inos.miner.holdings (what is here)
and inos.miner.fetch_ahead (what is fetched ahead). Time, links, stores and computing are modelled; a step is a second,
and a run depends only on its seed.
"""

import argparse
import random
from collections import OrderedDict, deque
from itertools import product
from types import SimpleNamespace
from typing import Any, Final

from blake3 import blake3
from msgspec import Struct

from inos.consensus.records import Job, JobState, TaskWork
from inos.core.matrices.named import Named
from inos.miner.fetch_ahead import RECENT_JOBS, FetchAhead
from inos.miner.holdings import Holdings
from inos.miner.policy import Holding, Offer, rank_offers
from inos.miner.settings import MinerSettings
from inos.primitives.matrices import DType
from inos.primitives.transactions import TaskKind
from inos.primitives.units import Address, Height, JobId, MatrixId
from inos.programs import Input, Node, Program, Stored, Type, encode_program
from inos.programs.structure import Clamp

MINERS: Final = 8
CLAIMS: Final = 2
"""A miner holds so many tasks: one that is computed, and one that waits or is fetched."""
PROGRAMS: Final = 24
"""So many programs are called at a time, their popularity falling as 1 / rank."""
WEIGHT_BYTES: Final = (2 << 20, 64 << 20)
INPUT_BYTES: Final = 64 << 10
LINK_BYTES_PER_S: Final = 2 << 20
RUN_S: Final = (4, 24)
BLOCK_S: Final = 5
RUN_HOURS: Final = 3
WARM_S: Final = 1800
"""Stores are filled in this time, which is not counted."""
LOADS: Final = (0.5, 0.9)
"""The work that is posted, as a part of what all miners compute."""


class Scene(Struct, frozen=True):
    """Says how much a store holds, and how often a new program takes the place of another."""

    name: str
    store_bytes: int
    new_s: int


SCENES: Final = (
    Scene("stores hold half of the weights", 224 << 20, 10**9),
    Scene("a new program every 5 minutes", 1 << 30, 300),
)


class Variant(Struct, frozen=True):
    """Says which of the two the miners do."""

    name: str
    prefers: bool
    fetches: bool


VARIANTS: Final = (
    Variant("neither", False, False),
    Variant("preference", True, False),
    Variant("preference and fetching ahead", True, True),
)


class Store:
    """Holds files up to `room` bytes, those used last."""

    def __init__(self, specs: dict[MatrixId, bytes], room: int) -> None:
        self._specs = specs
        self.retention = self
        self._room = room
        self._held: OrderedDict[MatrixId, int] = OrderedDict()

    def has(self, id: MatrixId) -> bool:
        return id in self._held

    def find_info(self, id: MatrixId) -> Any:
        return SimpleNamespace(size=self._held[id]) if id in self._held else None

    def count_free_room(self) -> int:
        return self._room

    def get_bytes(self, id: MatrixId) -> bytes:
        return self._specs[id]

    def put(self, id: MatrixId, size: int) -> None:
        self._room += self._held.pop(id, 0) - size
        self._held[id] = size
        while self._room < 0:
            self._room += self._held.popitem(last=False)[1]

    def use(self, id: MatrixId) -> None:
        self._held.move_to_end(id)


class Download(Struct):
    """One part on its way."""

    part: Named
    left: int


class Miner:
    def __init__(self, world: "World", number: int) -> None:
        self.world = world
        self.me = Address(bytes([number]) * 20)
        self.settings = MinerSettings(beneficiary=self.me)
        self.store = Store(world.specs, world.scene.store_bytes)
        node: Any = SimpleNamespace(matrices=SimpleNamespace(store=self.store))
        self.holdings = Holdings(node.matrices)
        self.ahead = FetchAhead(node, self.settings, self.me, self.holdings)
        self.taken: Job | None = None
        """This task is being fetched, since the second `since`."""
        self.since = 0
        self.waiting: deque[Job] = deque()
        self.runs_until = 0
        self.running: Job | None = None
        self.download: Download | None = None
        self.ahead_download: Download | None = None

    def step(self) -> None:
        """Do what a miner does in one second."""
        world = self.world
        if self.running is not None and world.now >= self.runs_until:
            self.running = None
        if self.running is None and self.waiting:
            self.running = self.waiting.popleft()
            self.runs_until = world.now + world.run_s[self.running]
        if self.taken is None and len(self.waiting) + (self.running is not None) < CLAIMS:
            self._take()
        self._fetch()

    def _take(self) -> None:
        self.holdings.named.begin_look()
        is_preferring = self.world.variant.prefers
        offers = [
            Offer(id, job, self.holdings.look(job) if is_preferring else Holding.NOTHING)
            for id, job in self.world.open.items()
        ]
        ranked = rank_offers(self.settings, offers, self.me)
        if ranked:
            self.taken, self.since = self.world.open.pop(ranked[0].id), self.world.now
            holding = self.holdings.look(self.taken)
            self.world.note(holding)

    def _fetch(self) -> None:
        """Use the link for one second: for the task that was taken, or else for what comes next."""
        left = LINK_BYTES_PER_S
        while self.taken is not None and left:
            self.download, left = self._load(self.download, left)
            if self.download is None:
                missing = self.holdings.list_missing(self.taken)
                if not missing:
                    self._use(self.taken)
                    self.world.delays.append(self.world.now - self.since)
                    self.waiting.append(self.taken)
                    self.taken = None
                    return
                self.download = self._begin(missing[0])
        while self.world.variant.fetches and left:
            if self.ahead_download is None:
                part = self._choose()
                if part is None:
                    return
                self.ahead_download = self._begin(part)
                self.ahead.note(part, self.ahead_download.left, self.world.height)
            self.ahead_download, left = self._load(self.ahead_download, left)

    def _use(self, job: Job) -> None:
        """Note that what the job works on was used, as reading it from a store does."""
        for part in self.holdings.list_parts(job):
            self.store.use(part.id)

    def _choose(self) -> Named | None:
        self.holdings.named.begin_look()
        offers = [Offer(id, job, self.holdings.look(job)) for id, job in self.world.open.items()]
        best = (offer.job for offer in rank_offers(self.settings, offers, self.me))
        return self.ahead.choose(best, self.world.recent, self.world.height)

    def _begin(self, part: Named) -> Download:
        return Download(part, self.world.sizes[part.id])

    def _load(self, download: Download | None, left: int) -> tuple[Download | None, int]:
        """Load up to `left` bytes; return what is left of the download and of the link."""
        if download is None:
            return None, left
        loaded = min(download.left, left)
        download.left -= loaded
        if download.left:
            return download, left - loaded
        self.store.put(download.part.id, self.world.sizes[download.part.id])
        return None, left - loaded


class World:
    """Posts tasks, and counts how they begin."""

    def __init__(self, scene: Scene, variant: Variant, load: float, seed: int) -> None:
        self.scene = scene
        self.variant = variant
        self.random = random.Random(seed)
        self.now = 0
        self.specs: dict[MatrixId, bytes] = {}
        self.sizes: dict[MatrixId, int] = {}
        self.open: dict[JobId, Job] = {}
        self.recent: deque[Job] = deque(maxlen=RECENT_JOBS)
        self.run_s: dict[Job, int] = {}
        self.begun = self.without_bulk = self.without_any = 0
        self.delays: list[int] = []
        self._rate = load * MINERS / (sum(RUN_S) / 2)
        self._made = PROGRAMS
        self._programs = [self._make_program(number) for number in range(PROGRAMS)]
        self._miners = [Miner(self, number) for number in range(MINERS)]

    @property
    def height(self) -> Height:
        return Height(self.now // BLOCK_S)

    def run(self) -> None:
        for self.now in range(RUN_HOURS * 3600):
            if (self.now + 1) % self.scene.new_s == 0:
                self._made += 1
                self._programs[self.random.randrange(PROGRAMS)] = self._make_program(self._made)
            while self.random.random() < self._rate / (1 + self._rate):
                self._post()
            for miner in self.random.sample(self._miners, MINERS):
                miner.step()

    def note(self, holding: Holding) -> None:
        """Count a task that a miner took on."""
        if self.now >= WARM_S:
            self.begun += 1
            self.without_bulk += holding >= Holding.BULK
            self.without_any += holding is Holding.ALL

    def _post(self) -> None:
        ranks = [1 / (rank + 1) for rank in range(PROGRAMS)]
        spec = self.random.choices(self._programs, ranks)[0]
        input_ = MatrixId(self.random.randbytes(32))
        self.sizes[input_] = INPUT_BYTES
        work = TaskWork(TaskKind.PROGRAM, spec, (input_,), 0, 1)
        job = Job(bytes(20), work, 10**9, 10**9, 100, 10**6, self.height, 0, JobState.OPEN, None, 0)
        self.open[JobId(blake3(input_).digest())] = job
        self.recent.appendleft(job)
        self.run_s[job] = self.random.randint(*RUN_S)

    def _make_program(self, number: int) -> MatrixId:
        """Return the id of a program with one matrix of weights."""
        least, most = WEIGHT_BYTES
        rows = int(least * (most / least) ** self.random.random()) // 1024
        weights = MatrixId(blake3(b"weights %d" % number).digest())
        program = Program(
            (Input(Type(rows, 1024, -64, 63), Stored(weights, DType.INT7)),), (Node(Clamp(0, 1), (0,)),), (1,)
        )
        data = encode_program(program)
        spec = MatrixId(blake3(data).digest())
        self.specs[spec] = data
        self.sizes |= {weights: rows * 1024, spec: len(data)}
        return spec


def describe(scene: Scene, load: float, variant: Variant, seed: int) -> str:
    """Return one row of the table."""
    world = World(scene, variant, load, seed)
    world.run()
    shares = [100 * count / world.begun for count in (world.without_bulk, world.without_any)]
    mean = sum(world.delays) / len(world.delays)
    return f"| {scene.name} | {load:.0%} | {variant.name} | {shares[0]:.0f} % | {shares[1]:.0f} % | {mean:.1f} s |"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    seed = parser.parse_args().seed
    print("| stores and programs | load | the miners use | weights were here | all was here | mean time to fetch |")
    print("|---|---|---|---|---|---|")
    for scene, load, variant in product(SCENES, LOADS, VARIANTS):
        print(describe(scene, load, variant, seed), flush=True)


if __name__ == "__main__":
    main()
