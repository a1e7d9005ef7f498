"""Runs a devnet of three nodes under mixed load for hours, and measures how memory and descriptors of each node grow.

    python benchmarks/soak.py --hours 2 --out soak.json

Load: the devnet's own customer runs a classifier of digits; a wallet sends transfers to new and old accounts; callers
read the chain; subscribers come and go; a light peer dials, reads and leaves. Each node is sampled once a minute: its
resident memory, open descriptors, threads and height. The growth per
hour is the slope of a least-squares line through the second half of the samples, when caches have filled.
"""

import argparse
import asyncio
import contextlib
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from msgspec import Struct, to_builtins

from inos.bench.machine import describe_machine, read_memory_mb
from inos.bench.net.process import open_partner
from inos.client.client import Client
from inos.client.transport import Transport
from inos.devnet.digits import make_digit_task
from inos.devnet.intro import DEV_PHRASE
from inos.devnet.run import DevnetSettings, make_specs, open_folder
from inos.devnet.workload import DigitWorkload
from inos.node.process import RunningNode, run_nodes
from inos.primitives.errors import InosError
from inos.primitives.units import Address
from inos.wallet.addresses import encode_address
from inos.wallet.keys import derive_key, make_key

SAMPLE_S: Final = 60.0
TRANSFER_S: Final = 1.0
READ_S: Final = 0.5
VISIT_S: Final = 20.0
FILLER_RATE: Final = 5_000.0
JOB_TIMEOUT_S: Final = 600.0


class Sample(Struct, frozen=True):
    """One sample of one node.

    Attributes:
        at_s: seconds since the load began.
        resident_mb: resident memory in 10^6 bytes, with the pages of mapped files, which the system takes back at will.
        own_mb: of these, the process's own memory.
    """

    node: str
    at_s: float
    resident_mb: float
    own_mb: float
    descriptors: int
    threads: int
    height: int


def read_sample(node: RunningNode, at_s: float, height: int) -> Sample:
    """Sample one node's process."""
    process = Path(f"/proc/{node.process.pid}")
    return Sample(
        node=node.name,
        at_s=at_s,
        resident_mb=read_memory_mb(node.process.pid, "VmRSS"),
        own_mb=read_memory_mb(node.process.pid, "RssAnon"),
        descriptors=len(list((process / "fd").iterdir())),
        threads=len(list((process / "task").iterdir())),
        height=height,
    )


def compute_growth(samples: Sequence[Sample], field: str) -> float:
    """Return the growth of a field per hour: the slope through the second half of one node's samples."""
    late = samples[len(samples) // 2 :]
    hours = [each.at_s / 3600 for each in late]
    return float(np.polyfit(hours, [getattr(each, field) for each in late], 1)[0]) if len(late) > 1 else 0.0


async def send_transfers(node: RunningNode, secret: bytes) -> None:
    """Send one transfer after the other, every second one to a new account."""
    number = 0
    async with Client(node.rpc_url, wallet=make_key(secret)) as client:
        while True:
            target = Address((number if number % 2 else 0).to_bytes(20, "big"))
            with contextlib.suppress(InosError):
                await client.transfer(encode_address("dinos", target), "0.001")
            number += 1
            await asyncio.sleep(TRANSFER_S)


async def read_chain(node: RunningNode, address: str) -> None:
    """Call what explorers call, for the account at `address`."""
    async with Client(node.rpc_url) as client:
        while True:
            with contextlib.suppress(InosError):
                await client.head()
                await client.call("chain_listBlocks", {"limit": 20})
                await client.call("state_getHistory", {"address": address, "limit": 20})
                await client.call("job_list", {"limit": 20})
            await asyncio.sleep(READ_S)


async def subscribe_briefly(node: RunningNode) -> None:
    """Subscribe to new heads, read two, and leave; again and again."""
    while True:
        with contextlib.suppress(InosError, TimeoutError):
            async with Client(node.rpc_url) as client, contextlib.aclosing(client.subscribe("heads")) as heads:
                async with asyncio.timeout(VISIT_S):
                    for _ in range(2):
                        await anext(heads)
        await asyncio.sleep(1.0)


async def visit(node: RunningNode) -> None:
    """Have a peer dial and leave, again and again."""
    while True:
        with contextlib.suppress(InosError):
            async with open_partner("devnet", "idle", node.p2p_address, "2", is_nice=True):
                await asyncio.sleep(VISIT_S)


async def sample(nodes: Sequence[RunningNode], seconds: float, samples: list[Sample]) -> None:
    """Add samples of all nodes for this many seconds, and print each."""
    began = time.monotonic()
    transports = [Transport(node.rpc_url) for node in nodes]
    try:
        while (at := time.monotonic() - began) < seconds:
            for node, transport in zip(nodes, transports, strict=True):
                head: dict[str, Any] = await transport.call("chain_head")
                samples.append(read_sample(node, at, head["height"]))
            print(" | ".join(_render(each) for each in samples[-len(nodes) :]), flush=True)
            await asyncio.sleep(SAMPLE_S)
    finally:
        for transport in transports:
            await transport.close()


def _render(one: Sample) -> str:
    return f"{one.node} {one.resident_mb:.0f} MB (own {one.own_mb:.0f}) {one.descriptors} fds height {one.height}"


async def run(hours: float, folder: Path) -> dict[str, Any]:
    """Run the devnet under load; return samples and growth per hour of each node."""
    task = await asyncio.to_thread(make_digit_task)
    specs = make_specs(folder, DevnetSettings(folder, None, FILLER_RATE, 0))
    samples: list[Sample] = []
    payer = bytes(31) + b"\x07"
    account = encode_address("dinos", make_key(payer).address)
    async with contextlib.AsyncExitStack() as stack:
        nodes = await stack.enter_async_context(run_nodes(specs))
        customer = await stack.enter_async_context(Client(nodes[0].rpc_url, wallet=derive_key(DEV_PHRASE)))
        await customer.transfer(account, "10000")
        workload = DigitWorkload(customer, task, job_timeout_s=JOB_TIMEOUT_S)
        works = [
            workload.run(lambda _: False),
            send_transfers(nodes[1], payer),
            *(read_chain(node, account) for node in nodes),
            *(subscribe_briefly(node) for node in nodes),
            *(visit(node) for node in nodes),
        ]
        group = await stack.enter_async_context(asyncio.TaskGroup())
        tasks = [group.create_task(work) for work in works]
        await sample(nodes, hours * 3600, samples)
        for each in tasks:
            each.cancel()
    growth = {
        node.name: {
            field: compute_growth([each for each in samples if each.node == node.name], field)
            for field in ("resident_mb", "own_mb", "descriptors", "threads", "height")
        }
        for node in nodes
    }
    return {"machine": describe_machine(), "hours": hours, "growth_per_hour": growth, "samples": to_builtins(samples)}


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=2.0)
    parser.add_argument("--out", type=Path, help="write samples and growth as JSON")
    asked = parser.parse_args()
    with open_folder(None) as folder:
        found = asyncio.run(run(asked.hours, folder))
    for node, growth in found["growth_per_hour"].items():
        print(node, ", ".join(f"{field} {value:+.2f}/h" for field, value in growth.items()))
    if asked.out is not None:
        asked.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
