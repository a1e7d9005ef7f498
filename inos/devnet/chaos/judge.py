"""Looks at every honest node after the chaos: one tip, all money there, every job known, nothing crashed."""

import asyncio
from collections.abc import Sequence
from typing import Final

from inos.client.client import Client, RemoteError
from inos.devnet.chaos.customers import Customer
from inos.devnet.chaos.fleet import Fleet, HonestNode
from inos.devnet.chaos.logs import LogFigures, read_log
from inos.devnet.chaos.report import JobsReport, NodeReport
from inos.devnet.chaos.waiting import await_until
from inos.primitives.errors import InosError

HEAL_S: Final = 120.0
"""Longest wait for one tip, and again for everything signed to be on the chain."""
LIVE: Final = frozenset({"open", "claimed"})
CHECKED_RESULTS: Final = 8
"""Results fetched at the end and multiplied again here."""


async def read_tips(fleet: Fleet) -> list[str]:
    """The tip of every node; the error where one does not answer."""

    async def read(node: HonestNode) -> str:
        try:
            return (await node.client.head()).id
        except (InosError, OSError, TimeoutError) as error:
            return f"{node.name}: {error}"

    return list(await asyncio.gather(*(read(node) for node in fleet.nodes)))


async def await_one_tip(fleet: Fleet, limit_s: float = HEAL_S) -> float | None:
    """Seconds until all honest nodes stand on one block."""

    async def is_one() -> bool:
        return len(set(await read_tips(fleet))) == 1

    return await await_until(is_one, limit_s)


async def await_included(customers: Sequence[Customer], limit_s: float = HEAL_S) -> float | None:
    """Seconds until everything the customers signed is on the chain; they hand it in again and again."""

    return await await_until(lambda: is_all_included(customers), limit_s)


async def is_all_included(customers: Sequence[Customer]) -> bool:
    """Return whether everything the customers signed is on their nodes' chains; hand in again what is not."""
    try:
        return all([await customer.hand_in_again() for customer in customers])
    except (InosError, OSError, TimeoutError):
        return False


async def set_mining(fleet: Fleet, *, is_on: bool) -> None:
    """Start or stop the miner of every node; without new blocks all tips stay where they are.

    Raises:
        InosError: a node does not answer.
    """
    for node in fleet.nodes:
        async with Client(node.rpc_url, token=node.read_token()) as client:
            await client.call("miner_start" if is_on else "miner_stop")


def read_logs(fleet: Fleet) -> dict[str, LogFigures]:
    """By node."""
    ids = frozenset(node.id for node in fleet.nodes)
    return {node.name: read_log(node.log_path, ids) for node in fleet.nodes}


async def judge_node(node: HonestNode, log: LogFigures) -> NodeReport:
    """One node's books and figures; a node that does not answer gives its error instead."""
    height, tip, peers, supply, is_conserved, error = -1, "", 0, "0", False, ""
    try:
        head = await node.client.head()
        height, tip, peers = head.height, head.id, len((await node.client.call("net_peers"))["peers"])
        audit = await node.client.call("state_supply", {"audit": True}, timeout_s=120.0)
        supply, is_conserved = str(audit["supply"]), bool(audit["is_conserved"])
    except (InosError, OSError, TimeoutError) as failure:
        error = str(failure)
    return NodeReport(
        name=node.name,
        height=height,
        tip=tip,
        peers=peers,
        kills=node.kills,
        reorganisations=len(log.undone),
        deepest_reorganisation=log.deepest,
        bans=dict(log.bans),
        supply=supply,
        is_conserved=is_conserved,
        error=error,
    )


async def judge_jobs(fleet: Fleet, customers: Sequence[Customer]) -> JobsReport:
    """Every job's state on every honest node, which must be the same everywhere."""
    jobs = [job for customer in customers for job in customer.list_jobs()]
    refusals = {job: why for customer in customers for job, why in customer.refusals.items()}
    states = await asyncio.gather(*(_read_states(node, jobs) for node in fleet.nodes))
    lost, settled = [], []
    for job in jobs:
        found = {node.name: known[job] for node, known in zip(fleet.nodes, states, strict=True)}
        if len(set(found.values())) > 1 or not set(found.values()) <= LIVE | {"settled"}:
            lost.append(f"{job}: {found}, last refusal: {refusals.get(job, 'none')}")
        elif set(found.values()) == {"settled"}:
            settled.append(job)
    checked, wrong = await _check_results(fleet, settled[-CHECKED_RESULTS:])
    return JobsReport(
        posted=len(jobs),
        settled=len(settled),
        open=len(jobs) - len(settled) - len(lost),
        results_checked=checked,
        lost=lost + wrong,
    )


async def _read_states(node: HonestNode, jobs: Sequence[str]) -> dict[str, str]:
    states = {}
    for job in jobs:
        try:
            states[job] = (await node.client.job(job)).state
        except RemoteError as error:
            states[job] = error.code
        except (InosError, OSError, TimeoutError) as error:
            states[job] = f"unanswered: {error}"
    return states


async def _check_results(fleet: Fleet, settled: Sequence[str]) -> tuple[int, list[str]]:
    """Fetch results and check them by Freivalds; how many were right, and what was wrong."""
    checked, wrong = 0, []
    for index, job in enumerate(settled):
        try:
            await fleet.nodes[index % len(fleet.nodes)].client.result(job)
            checked += 1
        except (InosError, OSError, TimeoutError) as error:
            wrong.append(f"{job}: settled, but its result is not to be had: {error}")
    return checked, wrong


def list_problems(
    crashes: Sequence[str], nodes: Sequence[NodeReport], jobs: JobsReport, logs: dict[str, LogFigures], **verdicts: bool
) -> list[str]:
    """Everything that is not as it must be, in words; empty where the run is sound."""
    problems = [name.replace("_", " ") for name, is_bad in verdicts.items() if is_bad]
    problems += [f"{node.name} does not answer: {node.error}" for node in nodes if node.error]
    problems += [f"{node.name}: its records do not add up to the supply" for node in nodes if not node.is_conserved]
    if len({node.supply for node in nodes}) > 1:
        problems.append("the honest nodes do not agree on the supply")
    problems += [f"lost job {job}" for job in jobs.lost]
    problems += crashes
    for name, log in logs.items():
        problems += [f"{name} banned an honest node: {ban}" for ban in log.honest_bans]
        problems += [f"{name} logged a fault: {fault}" for fault in log.faults]
    return problems
