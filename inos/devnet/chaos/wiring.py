"""The links between the processes: the interface that the package needs, and an implementation for every machine."""

import contextlib
import random
from collections.abc import Sequence
from itertools import combinations
from typing import Final, Protocol, Self

from inos.devnet.chaos.relay import Relay, lead_to

MESH_MOST: Final = 5
"""Up to this many nodes, every node dials every other one."""
CHORDS: Final = 2
"""In a larger network, each node dials this many nodes beside its neighbours on the ring."""


class Wiring(Protocol):
    """The links between `nodes` processes, which are counted from 0."""

    @property
    def name(self) -> str:
        """The wiring's name in the report."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *exc: object) -> None: ...

    def get_prefix(self, index: int) -> tuple[str, ...]:
        """Return the command that starts a process in its place; the numbers of liars follow those of the nodes."""

    def get_flags(self, index: int) -> tuple[str, ...]:
        """Return the options of the node's command line about where it listens and how it finds peers."""

    def list_peers(self, index: int) -> Sequence[str]:
        """Return "index@host:port" for each node that this one dials, without the nodes' ids."""

    def set_ports(self, index: int, p2p: int, rpc: int) -> None:
        """Note that a node has started and listens on these ports."""

    def get_rpc_url(self, index: int) -> str:
        """Return the URL of the node's RPC, which stays the same over restarts."""

    def get_door(self, index: int) -> tuple[str, int]:
        """Return host and port where a liar dials the node."""

    async def part(self, one_side: frozenset[int], *, is_silent: bool) -> None:
        """Let nothing through between `one_side` and the others."""

    async def heal(self) -> None:
        """Undo `part`."""

    async def end_delay(self) -> None:
        """Stop delaying data on all links."""


def draw_edges(nodes: int, seed: int) -> list[tuple[int, int]]:
    """Return who dials whom: all pairs among few nodes, else a ring with random chords. No pair occurs twice."""
    if nodes <= MESH_MOST:
        return list(combinations(range(nodes), 2))
    rng = random.Random(seed)
    found = {(min(i, (i + 1) % nodes), max(i, (i + 1) % nodes)) for i in range(nodes)}
    for node in range(nodes):
        for other in rng.sample([i for i in range(nodes) if i != node], CHORDS):
            found.add((min(node, other), max(node, other)))
    return sorted(found)


class LoopbackWiring:
    """A wiring in which every link is a relay in this process, so that it needs no rights and works on every machine.

    The nodes must not find each other by themselves, because they would then dial each other past the relays.
    """

    name = "loopback"

    def __init__(self, nodes: int, delay_s: float, seed: int) -> None:
        self._links = {edge: Relay(delay_s=delay_s) for edge in draw_edges(nodes, seed)}
        self._doors = [Relay(delay_s=delay_s) for _ in range(nodes)]
        self._rpc = [Relay() for _ in range(nodes)]
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        for relay in (*self._links.values(), *self._doors, *self._rpc):
            await self._stack.enter_async_context(relay)
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._stack.aclose()

    def get_prefix(self, index: int) -> tuple[str, ...]:
        return ()

    def get_flags(self, index: int) -> tuple[str, ...]:
        return ("--p2p-port", "0", "--no-discovery", "--no-local-addresses")

    def list_peers(self, index: int) -> Sequence[str]:
        return [f"{there}@127.0.0.1:{link.port}" for (here, there), link in self._links.items() if here == index]

    def set_ports(self, index: int, p2p: int, rpc: int) -> None:
        for (_, there), link in self._links.items():
            if there == index:
                link.connect = lead_to(p2p)
        self._doors[index].connect = lead_to(p2p)
        self._rpc[index].connect = lead_to(rpc)

    def get_rpc_url(self, index: int) -> str:
        return f"http://127.0.0.1:{self._rpc[index].port}"

    def get_door(self, index: int) -> tuple[str, int]:
        return "127.0.0.1", self._doors[index].port

    async def part(self, one_side: frozenset[int], *, is_silent: bool) -> None:
        for (here, there), link in self._links.items():
            if (here in one_side) != (there in one_side):
                if is_silent:
                    link.stall()
                else:
                    link.cut()

    async def heal(self) -> None:
        for link in self._links.values():
            link.heal()

    async def end_delay(self) -> None:
        for link in (*self._links.values(), *self._doors):
            link.delay_s = 0.0
