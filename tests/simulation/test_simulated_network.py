"""The simulation itself: time that jumps, links that delay, lose and break, and runs that depend only on the seed."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from inos.network.errors import HandshakeFailed, LinkError
from inos.network.identity import PeerAddress
from inos.network.link import Link
from inos.network.transport.simulated import Line, SimulatedNetwork, SimulatedTransport
from inos.primitives.units import NodeId
from simulation.calm import run_calm
from support.sim_loop import NothingLeft, run_virtually

IDS = tuple(NodeId(bytes([n]) * 32) for n in (1, 2))


class Weather:
    def __init__(self, latency: float = 0.1, loss: float = 0.0) -> None:
        self.latency = latency
        self.loss = loss
        self.cut = False

    def get_latency(self, a: NodeId, b: NodeId) -> float:
        return self.latency

    def get_loss(self, a: NodeId, b: NodeId) -> float:
        return self.loss

    def is_cut(self, a: NodeId, b: NodeId) -> bool:
        return self.cut


class Middling:
    """A random generator that always returns the middle."""

    def random(self) -> float:
        return 0.5

    def getrandbits(self, k: int, /) -> int:
        return 0


async def make_pair(weather: Weather, up: float = 1e9) -> tuple[Link, Link, SimulatedNetwork]:
    network = SimulatedNetwork(weather, Middling())
    near, far = (network.make_transport(id, "20.0.0.1", 1 + n, Line(up, 1e9)) for n, id in enumerate(IDS))
    got: asyncio.Future[Link] = asyncio.get_running_loop().create_future()

    async def keep(link: Link) -> None:
        got.set_result(link)
        await asyncio.Event().wait()

    await far.listen(lambda: b"far", keep)
    link = await near.dial(PeerAddress(IDS[1], "20.0.0.1", 2), lambda: b"near")
    return link, await got, network


def test_time_jumps_to_the_next_timer() -> None:
    async def main() -> float:
        began = asyncio.get_running_loop().time()
        await asyncio.sleep(3600)
        return asyncio.get_running_loop().time() - began

    assert run_virtually(main()) == pytest.approx(3600)


def test_a_deadlock_is_told() -> None:
    async def main() -> None:
        await asyncio.Event().wait()

    with pytest.raises(NothingLeft):
        run_virtually(main())


def test_threads_are_refused() -> None:
    async def main() -> None:
        await asyncio.to_thread(len, b"")

    with pytest.raises(RuntimeError, match="inline"):
        run_virtually(main())


def test_a_frame_takes_latency_and_bandwidth() -> None:
    async def main() -> tuple[float, float]:
        near, far, _ = await make_pair(Weather(0.1), up=10_000)
        loop = asyncio.get_running_loop()
        assert (near.remote_hello, far.remote_hello) == (b"far", b"near")
        began = loop.time()
        await near.send(bytes(934))
        await near.send(bytes(1934))
        await far.receive()
        first = loop.time() - began
        await far.receive()
        return first, loop.time() - began

    first, second = run_virtually(main())
    assert first == pytest.approx(0.1 * 1.05 + 0.1, abs=1e-3)
    assert second == pytest.approx(0.1 * 1.05 + 0.1 + 0.2066, abs=1e-3)


def test_what_is_lost_comes_later_and_in_order() -> None:
    async def main() -> tuple[list[bytes], float]:
        weather = Weather(0.1, loss=1.0)
        near, far, _ = await make_pair(weather)
        began = asyncio.get_running_loop().time()
        await near.send(b"lost")
        weather.loss = 0.0
        await near.send(b"after")
        return [await far.receive(), await far.receive()], asyncio.get_running_loop().time() - began

    frames, took = run_virtually(main())
    assert frames == [b"lost", b"after"]
    assert took == pytest.approx(0.105 + 0.21, abs=1e-2)


def test_a_cut_holds_frames_until_it_is_mended() -> None:
    async def main() -> tuple[bytes, float]:
        weather = Weather()
        near, far, network = await make_pair(weather)
        weather.cut = True
        await near.send(b"held")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(60):
                await far.receive()
        with pytest.raises(LinkError):
            await network.listeners[("20.0.0.1", 2)].dial(PeerAddress(IDS[1], "20.0.0.1", 2), bytes)
        weather.cut = False
        network.heal()
        began = asyncio.get_running_loop().time()
        return await far.receive(), asyncio.get_running_loop().time() - began

    frame, took = run_virtually(main())
    assert frame == b"held"
    assert 0.1 < took < 3


def test_who_does_not_read_makes_the_sender_wait() -> None:
    async def main() -> int:
        near, far, _ = await make_pair(Weather(0.01))
        sent = 0

        async def flood() -> None:
            nonlocal sent
            while True:
                await near.send(bytes(60_000))
                sent += 1

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(flood(), 60)
        await far.receive()
        await near.send(b"again")
        return sent

    assert run_virtually(main()) == 5


def test_closing_is_told_after_what_was_sent() -> None:
    async def main() -> None:
        near, far, _ = await make_pair(Weather())
        await near.send(b"last")
        await near.close()
        assert await far.receive() == b"last"
        with pytest.raises(LinkError):
            await far.receive()
        with pytest.raises(LinkError):
            await far.send(b"too late")

    run_virtually(main())


def test_only_the_dialled_id_answers() -> None:
    async def main() -> None:
        _, _, network = await make_pair(Weather())
        transport: SimulatedTransport = network.listeners[("20.0.0.1", 2)]
        with pytest.raises(HandshakeFailed):
            await transport.verify_address(PeerAddress(IDS[0], "20.0.0.1", 2))
        with pytest.raises(LinkError):
            await transport.verify_address(PeerAddress(IDS[0], "20.0.0.9", 2))
        await transport.verify_address(PeerAddress(IDS[1], "20.0.0.1", 2))

    run_virtually(main())


@pytest.mark.long
def test_one_seed_is_one_run() -> None:
    """A run does not depend on the hashes of sets: it is the same in another process with another hash seed."""
    here = run_calm(7, 12, 3).trace
    root = Path(__file__).parents[2]
    code = "from simulation.calm import run_calm; print(run_calm(7, 12, 3).trace)"
    for number in ("1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": number, "PYTHONPATH": str(root / "tests")}
        there = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120, check=True
        )
        assert there.stdout.strip() == here
    assert run_calm(8, 12, 3).trace != here
