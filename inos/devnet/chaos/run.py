"""Chaos from start to report: nodes up, jobs running, things broken for a time, then healing and the audit."""

import asyncio
import contextlib
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from inos.client import Client
from inos.devnet.chaos.customer import TROUBLE, Customer, fund, get_state
from inos.devnet.chaos.fleet import Fleet, Member
from inos.devnet.chaos.plan import ChaosPlan
from inos.devnet.processes import stop_process
from primitives.hashing import Context, compute_hash
from wallet.keys import Key, derive_key, make_key

CUSTOMERS: Final = 2
CREDITS: Final = 20
DOWN_S: Final = (1.0, 3.0)
"""How long a killed node stays down."""
PART_S: Final = (4.0, 9.0)
"""How long a partition lasts."""
HEAL_S: Final = 90.0
"""Longest wait for one tip and the last jobs once everything is well again."""
READ_S: Final = 0.5

Announce = Callable[[str], None]


class ChaosSettings(Struct, frozen=True, kw_only=True):
    """What is run; `seed` decides who is killed, cut off and lied to, and when."""

    plan: ChaosPlan
    nodes: int
    duration_s: float
    seed: int
    data_dir: Path | None
    filler_rate: float
    rpc_port: int


class NodeReport(Struct, frozen=True, kw_only=True):
    """One node at the end."""

    name: str
    role: str
    height: int
    tip: str
    kills: int
    bans: int
    honest_bans: int
    """Of those, how many hit an honest node; there must be none."""
    reorganisations: int
    deepest: int
    """Blocks undone by the largest of them."""
    supply: str
    is_conserved: bool
    tracebacks: int


class ChaosReport(Struct, frozen=True, kw_only=True):
    """What came of it."""

    seed: int
    duration_s: float
    isolation: str
    """How links were cut and slowed: "relays", TCP relays on loopback."""
    height: int
    kills: int
    partitions: int
    lies: dict[str, int]
    seconds_to_heal: float | None
    """From the end of the chaos to one tip on all nodes; None: not within the limit."""
    jobs: dict[str, int]
    """Posted, and how many of them ended in each state."""
    jobs_lost: list[str]
    """Not on every node's chain in the same state."""
    one_tip: bool
    supply_conserved: bool
    nodes: tuple[NodeReport, ...]

    @property
    def is_sound(self) -> bool:
        """Whether the network came out as it must."""
        is_clean = all(node.tracebacks == 0 and node.honest_bans == 0 for node in self.nodes)
        return self.one_tip and self.supply_conserved and not self.jobs_lost and is_clean


async def run_chaos(settings: ChaosSettings, phrase: str, announce: Announce) -> ChaosReport:
    """Run it.

    Args:
        phrase: of the account that funds the customers.
        announce: takes one line for people about what happens next.

    Raises:
        DevnetError: a node could not be started, or died by itself.
    """
    rng = random.Random(settings.seed)
    with _open_folder(settings.data_dir) as folder:
        announce(f"seed {settings.seed}; starting {settings.nodes} nodes ...")
        plan = settings.plan
        async with Fleet(folder, settings.nodes, settings.filler_rate, settings.rpc_port, plan.delay_s) as fleet:
            customers = await _make_customers(fleet, phrase, rng)
            breaker = _Breaker(fleet, plan, rng, announce)
            announce(f"breaking things for {settings.duration_s:g} s ...")
            async with _insisting(customers):
                async with _lying(fleet, plan.liars, settings.seed) as lies, _posting(customers):
                    await breaker.run(settings.duration_s)
                announce("healing ...")
                seconds = await _heal(fleet, customers)
            return await _report(settings, fleet, breaker, customers, lies, seconds)


class _Breaker:
    """Kills and cuts at the plan's rates."""

    def __init__(self, fleet: Fleet, plan: ChaosPlan, rng: random.Random, announce: Announce) -> None:
        self._fleet, self._plan, self._rng, self._announce = fleet, plan, rng, announce
        self._start = time.monotonic()
        self.partitions = 0

    async def run(self, duration_s: float) -> None:
        """Break things for so long; nodes killed last are up again at the end, and no link is cut."""
        self._start = time.monotonic()
        async with asyncio.TaskGroup() as group:
            if self._plan.kills_per_min:
                group.create_task(self._repeat(self._kill, self._plan.kills_per_min, duration_s))
            if self._plan.partitions_per_min:
                group.create_task(self._repeat(self._part, self._plan.partitions_per_min, duration_s))
            group.create_task(self._watch(duration_s))
        self._fleet.heal()

    async def _repeat(self, act: Callable[[], Any], per_min: float, duration_s: float) -> None:
        while True:
            wait = 60.0 / per_min * (0.5 + self._rng.random())
            if time.monotonic() - self._start + wait > duration_s:
                return
            await asyncio.sleep(wait)
            await act()

    async def _kill(self) -> None:
        up = [member for member in self._fleet.members if member.is_up]
        member = self._rng.choice(up)
        self._say(f"killing {member.name}")
        await self._fleet.kill(member)
        await asyncio.sleep(self._rng.uniform(*DOWN_S))
        await self._fleet.start(member)

    async def _part(self) -> None:
        names = [member.name for member in self._fleet.members]
        group = set(self._rng.sample(names, self._rng.randint(1, len(names) - 1)))
        self._say(f"cutting {', '.join(sorted(group))} off")
        self._fleet.cut(group)
        self.partitions += 1
        await asyncio.sleep(self._rng.uniform(*PART_S))
        self._fleet.heal()

    async def _watch(self, duration_s: float) -> None:
        """Notice a node that died by itself."""
        while time.monotonic() - self._start < duration_s:
            self._fleet.check_alive()
            await asyncio.sleep(READ_S)

    def _say(self, what: str) -> None:
        self._announce(f"{time.monotonic() - self._start:6.1f} s  {what}")


async def _make_customers(fleet: Fleet, phrase: str, rng: random.Random) -> list[Customer]:
    keys: list[Key] = [make_key(compute_hash(Context.NODE_ID, b"chaos" + bytes([n]))) for n in range(CUSTOMERS)]
    first = fleet.members[0].running
    assert first is not None  # the fleet has started
    async with Client(first.rpc_url, wallet=derive_key(phrase)) as bank:
        await fund(bank, keys, CREDITS)

    def list_clients() -> Sequence[Client]:
        return [member.client for member in fleet.members if member.is_up and member.client is not None]

    return [Customer(key, list_clients, rng) for key in keys]


@contextlib.asynccontextmanager
async def _posting(customers: Sequence[Customer]) -> AsyncIterator[None]:
    async with _background([customer.post() for customer in customers]):
        yield


@contextlib.asynccontextmanager
async def _insisting(customers: Sequence[Customer]) -> AsyncIterator[None]:
    async with _background([customer.insist() for customer in customers]):
        yield


@contextlib.asynccontextmanager
async def _background(works: Sequence[Any]) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(work) for work in works]
        yield
        for task in tasks:
            task.cancel()


@contextlib.asynccontextmanager
async def _lying(fleet: Fleet, count: int, seed: int) -> AsyncIterator[Counter[str]]:
    """Liars at every node, told to stop and asked for their count at the end."""
    lies: Counter[str] = Counter()
    targets = [member.running.p2p_address for member in fleet.members if member.running is not None]
    liars = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "inos.devnet.chaos.liar", "devnet", str(seed + n), *targets),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        for n in range(count)
    ]
    try:
        yield lies
    finally:
        for liar in liars:
            reading = asyncio.ensure_future(liar.stdout.read()) if liar.stdout is not None else None
            await stop_process(liar)
            if reading is not None and (told := await reading):
                lies.update(json.loads(told))


async def _heal(fleet: Fleet, customers: Sequence[Customer]) -> float | None:
    """Everything well again: wait for the last jobs, stop the miners, wait for one tip; seconds to one tip."""
    start = time.monotonic()
    fleet.calm()
    first: float | None = None
    while time.monotonic() - start < HEAL_S:
        tips = await _read_tips(fleet)
        if first is None and len(set(tips)) == 1:
            first = time.monotonic() - start
        if first is not None and all(order.state == "settled" for c in customers for order in c.orders):
            break
        await asyncio.sleep(READ_S)
    for member in fleet.members:
        if member.is_mining and member.client is not None:
            await member.client.call("miner_stop")
    while time.monotonic() - start < 2 * HEAL_S:
        if len(set(await _read_tips(fleet))) == 1:
            return first if first is not None else time.monotonic() - start
        await asyncio.sleep(READ_S)
    return None


async def _read_tips(fleet: Fleet) -> list[str]:
    """Every node's tip; where one does not answer, its name, which is no other node's tip."""

    async def read(member: Member) -> str:
        try:
            assert member.client is not None  # the fleet has started
            return (await member.client.head()).id
        except TROUBLE:
            return member.name

    return list(await asyncio.gather(*(read(member) for member in fleet.members)))


async def _report(
    settings: ChaosSettings,
    fleet: Fleet,
    breaker: _Breaker,
    customers: Sequence[Customer],
    lies: Counter[str],
    seconds: float | None,
) -> ChaosReport:
    honest = {member.running.node_id for member in fleet.members if member.running is not None}
    nodes = tuple([await _describe(member, honest) for member in fleet.members])
    jobs, lost = await _account(fleet, customers)
    return ChaosReport(
        seed=settings.seed,
        duration_s=settings.duration_s,
        isolation="relays",
        height=max(node.height for node in nodes),
        kills=sum(node.kills for node in nodes),
        partitions=breaker.partitions,
        lies=dict(sorted(lies.items())),
        seconds_to_heal=None if seconds is None else round(seconds, 1),
        jobs=jobs,
        jobs_lost=lost,
        one_tip=len({node.tip for node in nodes}) == 1,
        supply_conserved=all(node.is_conserved for node in nodes) and len({node.supply for node in nodes}) == 1,
        nodes=nodes,
    )


async def _describe(member: Member, honest: set[str]) -> NodeReport:
    assert member.client is not None  # the fleet has started
    head = await member.client.head()
    audit = await member.client.call("state_supply", {"audit": True}, timeout_s=120)
    log = _read_log(member)
    banned = [str(entry.get("peer", "?")) for entry in log if entry.get("event") == "peer banned"]
    depths = [int(entry.get("depth", 0)) for entry in log if entry.get("event") == "reorganisation"]
    return NodeReport(
        name=member.name,
        role="mines" if member.is_mining else "follows",
        height=head.height,
        tip=head.id,
        kills=member.kills,
        bans=len(banned),
        honest_bans=sum(any(id.startswith(peer) for id in honest) for peer in banned),
        reorganisations=len(depths),
        deepest=max(depths, default=0),
        supply=audit["supply"],
        is_conserved=audit["is_conserved"],
        tracebacks=sum("exception" in entry or "Traceback" in entry.get("event", "") for entry in log),
    )


def _read_log(member: Member) -> list[dict[str, Any]]:
    """The node's log, one object a line; a line that is none (a traceback outside the log) counts as its event."""
    entries: list[dict[str, Any]] = []
    for line in (member.spec.data_dir / "node.log").read_text(errors="replace").splitlines():
        try:
            entry = json.loads(line)
        except json.JSONDecodeError:
            entry = {"event": line}
        entries.append(entry if isinstance(entry, dict) else {"event": line})
    return entries


async def _account(fleet: Fleet, customers: Sequence[Customer]) -> tuple[dict[str, int], list[str]]:
    """How many jobs ended in which state, and those that are not in one state on every node."""
    counts: Counter[str] = Counter(posted=0)
    lost: list[str] = []
    for order in (order for customer in customers for order in customer.orders):
        counts["posted"] += 1
        clients = [member.client for member in fleet.members if member.client is not None]
        states = set(await asyncio.gather(*(get_state(client, order.id) for client in clients)))
        if len(states) != 1 or "unknown" in states:
            lost.append(order.id)
        else:
            counts[states.pop()] += 1
    return dict(counts), lost


@contextlib.contextmanager
def _open_folder(data_dir: Path | None) -> Any:
    if data_dir is not None:
        data_dir.mkdir(parents=True, exist_ok=True)
        yield data_dir
        return
    with tempfile.TemporaryDirectory(prefix="inos-chaos-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)
