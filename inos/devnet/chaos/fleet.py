"""The nodes of a chaotic devnet: each a process that may be killed and comes back on its old ports."""

import asyncio
import contextlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Self

from inos.client import Client
from inos.devnet.chaos.relay import Relay
from inos.devnet.processes import DevnetError, NodeSpec, RunningNode, start_node, stop_process

COMMON: Final = ("--network", "devnet", "--no-discovery", "--log-format", "json", "--threads", "1")


@dataclass
class Member:
    """One node, up or down."""

    name: str
    spec: NodeSpec
    is_mining: bool
    running: RunningNode | None = None
    client: Client | None = None
    kills: int = 0
    relays: dict[str, Relay] = field(default_factory=dict)
    """By the name of the node this one dials through it."""

    @property
    def is_up(self) -> bool:
        return self.running is not None and self.running.process.returncode is None


class Fleet:
    """All nodes and the relays between them; a context that leaves no process behind.

    Args:
        count: nodes, all but a quarter of them mining.
        filler_rate: tickets per second and miner.
        delay_s: on every link, each way.
    """

    def __init__(self, folder: Path, count: int, filler_rate: float, rpc_port: int, delay_s: float) -> None:
        self._delay_s = delay_s
        self._stack = contextlib.AsyncExitStack()
        miners = max(2, count - count // 4) if count > 2 else count
        self.members = [
            Member(name, NodeSpec(name, folder / name, self._make_flags(n, miners, rpc_port, filler_rate)), n < miners)
            for n, name in enumerate(f"node-{number}" for number in range(1, count + 1))
        ]

    @staticmethod
    def _make_flags(number: int, miners: int, rpc_port: int, filler_rate: float) -> tuple[str, ...]:
        ports = ("--rpc-port", str(rpc_port if number == 0 else 0), "--p2p-port", "0")
        mining = ("--mine", "auto", "--filler-rate", f"{filler_rate:g}") if number < miners else ()
        return (*COMMON, *ports, *mining)

    async def __aenter__(self) -> Self:
        """Start all, one after the other, each dialling those before it through relays of its own."""
        try:
            for number, member in enumerate(self.members):
                for other in self.members[:number]:
                    relay = await self._stack.enter_async_context(Relay(delay_s=self._delay_s))
                    relay.target_port = _get_port(other)
                    member.relays[other.name] = relay
                await self.start(member)
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def start(self, member: Member) -> None:
        """Start a node, or start it again: on the ports, with the data and the peers it had."""
        member.running = await start_node(member.spec, self._list_peers(member))
        rpc, p2p = (member.running.rpc_url.rsplit(":", 1)[1], str(_get_port(member)))
        member.spec = replace(member.spec, arguments=_set_ports(member.spec.arguments, rpc, p2p))
        if member.client is None:
            token = member.running.read_token()
            member.client = await self._stack.enter_async_context(Client(member.running.rpc_url, token=token))

    async def kill(self, member: Member) -> None:
        """SIGKILL, and wait until it is gone."""
        if member.running is not None and member.is_up:
            member.running.process.kill()
            await member.running.process.wait()
            member.kills += 1

    def cut(self, group: set[str]) -> None:
        """Cut every link between `group` and the rest."""
        for member in self.members:
            for other, relay in member.relays.items():
                if (member.name in group) != (other in group):
                    relay.cut()

    def heal(self) -> None:
        for member in self.members:
            for relay in member.relays.values():
                relay.heal()

    def calm(self) -> None:
        """Take the delay off every link."""
        for member in self.members:
            for relay in member.relays.values():
                relay.set_delay(0.0)

    def check_alive(self) -> None:
        """Raise where a node that nobody killed is gone.

        Raises:
            DevnetError: "node-died".
        """
        for member in self.members:
            running = member.running
            if running is not None and running.process.returncode not in (None, -9):
                raise DevnetError("node-died", f"{member.name} ended by itself with {running.process.returncode}")

    async def close(self) -> None:
        await asyncio.gather(*(stop_process(m.running.process) for m in self.members if m.running is not None))
        await self._stack.aclose()

    def _list_peers(self, member: Member) -> list[str]:
        """ID@host:port of those before it, each through the relay."""
        peers = []
        for other in self.members:
            if other.name in member.relays and other.running is not None:
                peers.append(f"{other.running.node_id}@127.0.0.1:{member.relays[other.name].port}")
        return peers


def _get_port(member: Member) -> int:
    if member.running is None:
        raise DevnetError("node-not-ready", f"{member.name} was never started")
    return int(member.running.p2p_address.rsplit(":", 1)[1])


def _set_ports(arguments: tuple[str, ...], rpc: str, p2p: str) -> tuple[str, ...]:
    wanted = {"--rpc-port": rpc, "--p2p-port": p2p}
    return tuple(wanted.get(before, argument) for before, argument in zip(("", *arguments), arguments, strict=False))
