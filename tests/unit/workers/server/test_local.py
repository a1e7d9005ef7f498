"""Workers on the node's machine map its files, and hand over rows that the node copies before it checks them."""

import asyncio
import fcntl
import os
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from inos.mesh.store import MatrixStore
from inos.miner.product import Product
from inos.primitives.matrices import MatrixRef
from inos.workers.client.local import LocalClient
from inos.workers.local import HAND, OPEN, name_socket
from inos.workers.messages import Local, Piece, Refused, Result
from inos.workers.server.row_memory import RowMemory
from support.work_lab import WorkLab, make_matrices, multiply, open_lab

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="packets and sealed files are Linux's")


@pytest.fixture
async def local_lab(tmp_path: Path) -> AsyncIterator[tuple[WorkLab, MatrixStore]]:
    """Return a service with a store and a socket in a folder with a long name."""
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    store = MatrixStore(tmp_path / "matrices")
    async with open_lab(store=store, socket=folder / "fleet.sock") as lab:
        yield lab, store
    assert not (folder / "fleet.sock").exists()
    store.close()


async def test_a_worker_on_this_machine_maps_operands_and_hands_rows_over(local_lab: Any) -> None:
    lab, store = local_lab
    x, w = make_matrices(rows=700, cols=200, depth=1500)
    for each in (x, w):
        store.put(each)
    async with lab.work(down=1, up=1):  # The line counts for nothing.
        await lab.until(lambda: [each.is_local for each in lab.service.get_status().workers] == [True])
        split = lab.offer(x, w)
        await lab.until(lambda: split.product.is_complete)
    assert np.array_equal(split.product.result(), multiply(x, w))


async def test_an_operand_that_is_no_file_is_fetched(local_lab: Any) -> None:
    lab, store = local_lab
    x, w = make_matrices()
    store.put(w)
    async with lab.work():
        await lab.until(lambda: [each.is_local for each in lab.service.get_status().workers] == [True])
        split = lab.offer(x, w)
        await lab.until(lambda: split.product.is_complete)
    assert np.array_equal(split.product.result(), multiply(x, w))


async def connect(local: Local | None) -> LocalClient:
    assert local is not None
    client = await asyncio.to_thread(LocalClient.connect, local)
    assert client is not None
    return client


async def ask(client: LocalClient, kind: int, argument: bytes, files: tuple[int, ...] = ()) -> bytes:
    return (await asyncio.to_thread(client._ask, kind, argument, files))[0]


async def test_only_operands_of_the_own_piece_are_opened(local_lab: Any) -> None:
    lab, store = local_lab
    x, w = make_matrices()
    other: MatrixRef = store.put(multiply(x, w).clip(-64, 63).astype(np.int8))
    for each in (x, w):
        store.put(each)
    async with lab.join() as worker:
        start = await worker.start()
        client = await connect(start.welcome.local)
        lab.offer(x, w)
        piece = (await worker.hear_piece()).work
        assert isinstance(piece, Piece)
        assert await ask(client, OPEN, other.id) == b"\0"
        assert await open_operand(client, piece.w.id) == w.tobytes()
        client.close()


async def open_operand(client: LocalClient, operand: bytes) -> bytes:
    found = await asyncio.to_thread(client.open, operand)
    assert found is not None
    descriptor, info = found
    with os.fdopen(descriptor, "rb") as file:
        return file.read()[-info.data_bytes :]


@pytest.mark.parametrize("is_in_place", [True, False])
async def test_rows_that_are_changed_after_they_were_handed_over_do_not_count(
    local_lab: Any, is_in_place: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the node checks and keeps is its own copy, for this piece and for the next one in the same memory."""
    lab, _ = local_lab
    if not is_in_place:
        monkeypatch.setattr(Product, "get_place", lambda *_: None)  # as if the rows went to a file
    x, w = make_matrices(rows=4096)
    right, done = multiply(x, w), 0
    async with lab.join() as worker:
        start = await worker.start()
        client = await connect(start.welcome.local)
        split = lab.offer(x, w)
        while done < split.product.strips:
            piece = await worker.hear_piece()
            work = piece.work
            assert isinstance(work, Piece)
            rows = right[16 * work.first : 16 * work.last]
            shared = client.get_rows(*rows.shape)
            shared[:] = rows
            await asyncio.to_thread(client.hand, piece.number)
            shared[:] = 7
            await worker.send(Result(piece.number, start.template.number, 1, (), True))
            done = work.last
        await lab.until(lambda: split.product.is_complete)
        client.close()
    assert np.array_equal(split.product.result(), right)


@pytest.mark.parametrize("is_in_place", [True, False])
async def test_wrong_rows_in_memory_are_found_and_made_again(
    local_lab: Any, is_in_place: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab, _ = local_lab
    x, w = make_matrices()
    async with lab.join() as liar:
        start = await liar.start()
        client = await connect(start.welcome.local)
        split = lab.offer(x, w)
        piece = await liar.hear_piece()
        work = piece.work
        assert isinstance(work, Piece)
        rows = multiply(x, w)[16 * work.first : 16 * work.last]
        rows[-1, -1] ^= 1
        with monkeypatch.context() as patch:
            if not is_in_place:
                patch.setattr(Product, "get_place", lambda *_: None)  # as if the rows went to a file
            client.get_rows(*rows.shape)[:] = rows
            await asyncio.to_thread(client.hand, piece.number)
        assert split.product.strips_done == 0
        await liar.send(Result(piece.number, start.template.number, 1, (), True))
        assert (await liar.hear(Refused)).code == "wrong-rows"
        client.close()
    async with lab.work():
        await lab.until(lambda: split.product.is_complete)
    assert np.array_equal(split.product.result(), multiply(x, w))


@pytest.mark.parametrize(
    "fault", ["no file", "not sealed", "too small", "empty", "no memory", "not in memory", "twice", "no assignment"]
)
async def test_rows_that_cannot_be_read_safely_close_the_socket(
    local_lab: Any, fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker loses its socket, and nobody else anything."""
    lab, _ = local_lab
    x, w = make_matrices()
    async with lab.join() as worker:
        start = await worker.start()
        client = await connect(start.welcome.local)
        lab.offer(x, w)
        piece = await worker.hear_piece()
        work, number = piece.work, piece.number.to_bytes(4, "big")
        assert isinstance(work, Piece)
        size = 4 * 16 * (work.last - work.first) * len(w)
        descriptor = os.memfd_create("rows", os.MFD_ALLOW_SEALING)
        if fault == "not in memory":
            os.close(descriptor)
            descriptor = os.open(tmp_path / "rows", os.O_RDWR | os.O_CREAT)
        os.ftruncate(descriptor, 0 if fault == "empty" else size - (fault == "too small"))
        if fault not in ("not sealed", "not in memory"):
            fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)
        files = () if fault == "no file" else (descriptor,)
        if fault == "no memory":
            monkeypatch.setattr(Product, "get_place", lambda *_: None)  # as if the rows went to a file
            monkeypatch.setattr(RowMemory, "borrow", refuse_memory)
        if fault == "twice":
            assert await ask(client, HAND, number, files) == b"\1"
        with pytest.raises(OSError):  # noqa: PT011  # the node closes the socket
            await ask(client, HAND, number[: 3 if fault == "no assignment" else 4], files)
        os.close(descriptor)
        client.close()
        assert lab.service.get_status().errors == {}
        again = await connect(start.welcome.local)
        again.close()


def refuse_memory(memory: RowMemory, size: int) -> None:
    raise MemoryError(f"no {size} bytes")


async def test_the_memory_of_rows_grows_with_the_piece(local_lab: Any) -> None:
    lab, _ = local_lab
    async with lab.join() as worker:
        client = await connect((await worker.start()).welcome.local)
        small, large = client.get_rows(16, 100), client.get_rows(300, 1000)
        assert (small.shape, large.shape) == ((16, 100), (300, 1000))
        assert not np.shares_memory(small, large)
        assert np.shares_memory(large, client.get_rows(16, 100))
        client.close()


@pytest.mark.parametrize("packet", [b"", b"\1" * 16, b"\1" * 17, b"\1" * 49])
async def test_packets_without_a_key_close_the_socket(local_lab: Any, packet: bytes) -> None:
    lab, _ = local_lab
    async with lab.join() as worker:
        local = (await worker.start()).welcome.local
        assert local is not None
        stranger = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        stranger.settimeout(60)
        with name_socket(Path(local.path)) as name:
            stranger.connect(name)
        if packet:
            stranger.send(packet)
        else:
            stranger.shutdown(socket.SHUT_WR)
        assert await asyncio.to_thread(stranger.recv, 100) == b""
        stranger.close()


async def test_a_changed_local_leaves_the_worker_without_files(local_lab: Any) -> None:
    """It goes on over the network, and the socket serves others."""
    lab, _ = local_lab
    async with lab.join() as worker:
        local = (await worker.start()).welcome.local
        assert local is not None
        for path in (local.path + "x", "", "\0"):
            assert await asyncio.to_thread(LocalClient.connect, replace(local, path=path)) is None
        for at in range(len(local.key)):
            key = bytes([*local.key[:at], local.key[at] ^ 1, *local.key[at + 1 :]])
            assert await asyncio.to_thread(LocalClient.connect, replace(local, key=key)) is None
        (await connect(local)).close()


async def test_a_changed_packet_of_a_piece_gives_nothing(local_lab: Any) -> None:
    """Its kind, its operand and its assignment decide what the node does; nothing else is opened or taken."""
    lab, store = local_lab
    x, w = make_matrices()
    for each in (x, w):
        store.put(each)
    async with lab.join() as worker:
        local = (await worker.start()).welcome.local
        split = lab.offer(x, w)
        piece = await worker.hear_piece()
        opening = split.x.ref.id
        for kind, argument in ((OPEN, opening[:-1]), (OPEN, opening + b"\0"), (3, opening), (255, b"")):
            client = await connect(local)
            with pytest.raises(OSError):  # noqa: PT011  # the node closes the socket
                await ask(client, kind, argument)
            client.close()
        client = await connect(local)
        assert await ask(client, OPEN, bytes([opening[0] ^ 1]) + opening[1:]) == b"\0"
        rows = client.get_rows(*multiply(x, w).shape)
        rows[:] = 7
        with pytest.raises(OSError):  # noqa: PT011  # there was no such assignment
            await asyncio.to_thread(client.hand, piece.number + 1)
        client.close()
        assert split.product.strips_done == 0
        assert [each.has_piece for each in lab.service.get_status().workers] == [True]
    async with lab.work():
        await lab.until(lambda: split.product.is_complete)
    assert np.array_equal(split.product.result(), multiply(x, w))
