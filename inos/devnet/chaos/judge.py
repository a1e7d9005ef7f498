"""Examines every honest node after the chaos: it requires one tip, a sound supply, known jobs, and no crashes."""

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
"""The longest wait for one tip, and again for all signed transactions to be on the chain."""
LIVE: Final = frozenset({"open", "claimed", "delivered", "disputed"})
"""A job in one of these states is not closed yet; a delivered one is paid when its challenge window is over."""
CHECKED_RESULTS: Final = 8
"""This many results are fetched at the end and checked here."""


async def read_tips(fleet: Fleet) -> list[str]:
    """Return the tip of every node, or the error of a node that does not answer."""

    async def read(node: HonestNode) -> str:
        try:
            return (await node.client.head()).id
        except (InosError, OSError, TimeoutError) as error:
            return f"{node.name}: {error}"

    return list(await asyncio.gather(*(read(node) for node in fleet.nodes)))


async def await_one_tip(fleet: Fleet, limit_s: float = HEAL_S) -> float | None:
    """Return the seconds until all honest nodes have the same tip, or None if that takes too long."""

    async def is_one() -> bool:
        return len(set(await read_tips(fleet))) == 1

    return await await_until(is_one, limit_s)


async def await_included(customers: Sequence[Customer], limit_s: float = HEAL_S) -> float | None:
    """Return the seconds until everything that the customers signed is on the chain; they send it again and again."""

    return await await_until(lambda: is_all_included(customers), limit_s)


async def is_all_included(customers: Sequence[Customer]) -> bool:
    """Return True if everything that the customers signed is on their nodes' chains; send again what is not."""
    try:
        return all([await customer.hand_in_again() for customer in customers])
    except (InosError, OSError, TimeoutError):
        return False


async def stop_mining(fleet: Fleet) -> float | None:
    """Stop all miners, and return the seconds until all honest nodes have the same tip, or None if that takes too long.

    One miner goes on until there is one tip: of two branches of one weight, only another block decides.

    Raises:
        InosError: a node does not answer.
    """
    last, *others = fleet.nodes
    await set_mining(others, is_on=False)
    await await_one_tip(fleet)
    await set_mining([last], is_on=False)
    return await await_one_tip(fleet)


async def set_mining(nodes: Sequence[HonestNode], *, is_on: bool) -> None:
    """Start or stop the miners of some nodes.

    Raises:
        InosError: a node does not answer.
    """
    for node in nodes:
        async with Client(node.rpc_url, token=node.read_token()) as client:
            await client.call("miner_start" if is_on else "miner_stop")


def read_logs(fleet: Fleet) -> dict[str, LogFigures]:
    """Return the figures of each node's log, by the node's name."""
    ids = frozenset(node.id for node in fleet.nodes)
    return {node.name: read_log(node.log_path, ids) for node in fleet.nodes}


async def judge_node(node: HonestNode, log: LogFigures) -> NodeReport:
    """Return one node's figures and its audit of the supply, or its error if it does not answer."""
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
    """Return the outcome of all jobs; each must have the same state on every honest node."""
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
    """Fetch results and check them by Freivalds; return how many are right, and what is wrong with the others."""
    checked, wrong = 0, []
    for index, job in enumerate(settled):
        try:
            await fleet.nodes[index % len(fleet.nodes)].client.result(job)
            checked += 1
        except (InosError, OSError, TimeoutError) as error:
            wrong.append(f"{job}: settled, but its result cannot be fetched: {error}")
    return checked, wrong


def list_problems(
    crashes: Sequence[str], nodes: Sequence[NodeReport], jobs: JobsReport, logs: dict[str, LogFigures], **verdicts: bool
) -> list[str]:
    """Return everything that is wrong, in words; the list is empty if the run is sound."""
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
