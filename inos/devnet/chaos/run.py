"""One run under chaos, from start to verdict."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from inos.devnet.chaos.customers import Customer, fund, make_customers
from inos.devnet.chaos.fleet import Fleet, make_nodes, open_fleet
from inos.devnet.chaos.judge import (
    await_included,
    await_one_tip,
    is_all_included,
    judge_jobs,
    judge_node,
    list_problems,
    read_logs,
    set_mining,
    stop_mining,
)
from inos.devnet.chaos.liars import open_liars
from inos.devnet.chaos.plan import ChaosPlan, Kill, Partition, draw_events
from inos.devnet.chaos.report import ChaosReport, Happened, sum_counts
from inos.devnet.chaos.wiring import LoopbackWiring, Wiring
from inos.devnet.run import open_folder

PROGRESS_S: Final = 5.0
FINAL_ROUNDS: Final = 5
"""The signed transactions are awaited this often, because two blocks at once may undo some of them."""

Announce = Callable[[str], None]
"""Receives one line of text about what happens."""


@dataclass(frozen=True)
class ChaosSettings:
    """The settings of a run.

    Attributes:
        nodes: number of honest nodes; liars come beside them.
        data_dir: kept if given; otherwise a temporary folder is removed with the run.
    """

    nodes: int
    plan: ChaosPlan
    duration_s: float
    seed: int
    data_dir: Path | None


async def run_chaos(settings: ChaosSettings, announce: Announce) -> ChaosReport:
    """Run nodes, customers and chaos for the given time, let everything heal, and judge.

    Raises:
        DevnetError: a node did not start or restart. InosError: the customers could not be paid.
    """
    plan = settings.plan
    wiring: Wiring = LoopbackWiring(settings.nodes, plan.delay, settings.seed)
    with open_folder(settings.data_dir) as folder:
        async with wiring:
            nodes = make_nodes(folder, settings.nodes, wiring)
            announce(f"seed {settings.seed}: starting {settings.nodes} nodes over {wiring.name} ...")
            async with open_fleet(nodes, wiring) as fleet:
                return await _Run(settings, fleet, wiring, announce).run()


@dataclass(frozen=True)
class _Healed:
    """Seconds to one tip, to all signed transactions being on the chain, and to one tip without mining; None if too
    late.
    """

    first_s: float | None
    included_s: float | None
    last_s: float | None


class _Run:
    """One run with its fleet and its wiring."""

    def __init__(self, settings: ChaosSettings, fleet: Fleet, wiring: Wiring, announce: Announce) -> None:
        self._settings = settings
        self._fleet = fleet
        self._wiring = wiring
        self._announce = announce
        self._happened = Happened()
        self._started = 0.0

    async def run(self) -> ChaosReport:
        customers = make_customers(self._fleet.nodes)
        try:
            await fund(customers, self._fleet.nodes[0])
            settings = self._settings
            self._say(f"customers are paid; chaos for {settings.duration_s:g} s")
            # The liars go on while the rest heals, since an honest network must work beside them.
            async with open_liars(settings.plan.liars, self._fleet, self._wiring, settings.seed) as lies:
                await self._live(customers)
                healed = await self._heal(customers)
            return await self._judge(customers, healed, lies)
        finally:
            for customer in customers:
                await customer.close()

    def _say(self, line: str) -> None:
        since = time.monotonic() - self._started if self._started else 0.0
        self._announce(f"{since:6.1f} s  {line}")

    async def _live(self, customers: Sequence[Customer]) -> None:
        """Let the customers work under all planned events; everything is undone when this returns."""
        settings = self._settings
        events = draw_events(settings.plan, settings.nodes, settings.duration_s, settings.seed)
        self._started = time.monotonic()
        async with asyncio.TaskGroup() as group:
            works = [
                group.create_task(customer.work(np.random.default_rng([settings.seed, index])))
                for index, customer in enumerate(customers)
            ]
            works.append(group.create_task(self._tell(customers)))
            works.append(group.create_task(self._part([one for one in events if isinstance(one, Partition)])))
            # Kills are not cancelled: every node that was killed is started again.
            for kill in (one for one in events if isinstance(one, Kill)):
                group.create_task(self._kill(kill))
            await asyncio.sleep(settings.duration_s)
            for work in works:
                work.cancel()
        await self._wiring.heal()
        await self._wiring.end_delay()

    async def _sleep_until(self, at_s: float) -> None:
        await asyncio.sleep(max(0.0, self._started + at_s - time.monotonic()))

    async def _kill(self, kill: Kill) -> None:
        await self._sleep_until(kill.at_s)
        up = self._fleet.list_up()
        if not up:
            self._happened.kills_skipped += 1
            return
        node = up[int(kill.pick * len(up))]
        self._happened.kills += 1
        self._say(f"killed {node.name}, again in {kill.down_s:.1f} s")
        await self._fleet.kill(node, kill.down_s)

    async def _part(self, partitions: Sequence[Partition]) -> None:
        for one in partitions:
            await self._sleep_until(one.at_s)
            started = time.monotonic()
            sides = "+".join(str(index + 1) for index in sorted(one.one_side))
            how = "silently" if one.is_silent else "with broken links"
            self._say(f"parted {sides} from the others {how} for {one.for_s:.1f} s")
            self._happened.partitions += 1
            try:
                await self._wiring.part(one.one_side, is_silent=one.is_silent)
                await asyncio.sleep(one.for_s)
            finally:
                await self._wiring.heal()
                self._happened.parted_s += time.monotonic() - started

    async def _tell(self, customers: Sequence[Customer]) -> None:
        while True:
            await asyncio.sleep(PROGRESS_S)
            heads = await asyncio.gather(
                *(node.client.head() for node in self._fleet.list_up()), return_exceptions=True
            )
            heights = sorted(head.height for head in heads if not isinstance(head, BaseException))
            jobs = sum(len(customer.list_jobs()) for customer in customers)
            self._say(f"heights {' '.join(map(str, heights))}, jobs posted {jobs}")

    async def _heal(self, customers: Sequence[Customer]) -> "_Healed":
        """Wait, within limits, for one tip while blocks still come, for all signed transactions, and for the
        last tip.
        """
        self._say("the chaos is over; waiting for one tip ...")
        first_s = await await_one_tip(self._fleet)
        self._say("one tip" if first_s is not None else "NOT one tip")
        for _ in range(FINAL_ROUNDS):
            included_s = await await_included(customers)
            last_s = await stop_mining(self._fleet)
            if included_s is None or last_s is None or await is_all_included(customers):
                break
            # Two blocks came at once before the miners stopped, and the chain that won lacks some transactions.
            await set_mining(self._fleet.nodes, is_on=True)
        return _Healed(first_s, included_s, last_s)

    async def _judge(self, customers: Sequence[Customer], healed: "_Healed", lies: Mapping[str, int]) -> ChaosReport:
        fleet, settings = self._fleet, self._settings
        jobs = await judge_jobs(fleet, customers)
        logs = await asyncio.to_thread(read_logs, fleet)
        nodes = [await judge_node(node, logs[node.name]) for node in fleet.nodes]
        crashes = [crash for node in fleet.nodes for crash in node.crashes]
        problems = list_problems(
            crashes,
            nodes,
            jobs,
            logs,
            no_one_tip_in_time=healed.first_s is None or healed.last_s is None,
            not_everything_signed_came_onto_the_chain=healed.included_s is None,
        )
        return ChaosReport(
            seed=settings.seed,
            wiring=self._wiring.name,
            duration_s=settings.duration_s,
            chaos=settings.plan,
            happened=self._happened,
            height=max(node.height for node in nodes),
            seconds_to_heal=healed.first_s,
            reorganisation_most=max(log.deepest for log in logs.values()),
            bans=sum_counts([log.bans for log in logs.values()]),
            lies=sum_counts([dict(lies)]),
            one_tip=healed.last_s is not None and len({node.tip for node in nodes}) == 1,
            supply_conserved=all(node.is_conserved for node in nodes) and len({node.supply for node in nodes}) == 1,
            jobs=jobs,
            nodes=nodes,
            crashes=crashes,
            problems=problems,
        )
