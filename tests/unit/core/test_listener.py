"""Tests the listener when the system has no descriptors, and when it cannot bind."""

import asyncio
import errno
import socket

import pytest
from structlog.testing import capture_logs

from inos.core import listener as module
from inos.core.listener import Listener


class Taken:
    """Keeps the accepted connections."""

    def __init__(self):
        self.sockets = []
        self.changed = asyncio.Event()

    async def take(self, sock):
        self.sockets.append(sock)
        self.changed.set()

    def close(self):
        for sock in self.sockets:
            sock.close()


@pytest.fixture
async def taken():
    found = Taken()
    yield found
    found.close()


async def test_without_descriptors_it_waits_says_so_once_and_goes_on(monkeypatch, taken):
    """asyncio's own server multiplies its attempts here, and logged 107 MB in 67 s."""
    monkeypatch.setattr(module, "RETRY_S", 0.01)
    loop, attempts = asyncio.get_running_loop(), 0
    accept = loop.sock_accept

    async def fail(sock):
        nonlocal attempts
        found = await accept(sock)
        attempts += 1
        if attempts <= 5:
            found[0].close()
            raise OSError(errno.EMFILE, "Too many open files")
        return found

    monkeypatch.setattr(loop, "sock_accept", fail)
    listener = Listener("test", taken.take)
    await listener.start("127.0.0.1", 0)
    with capture_logs() as lines:
        for _ in range(6):
            _, writer = await asyncio.open_connection("127.0.0.1", listener.port)
            writer.close()
        async with asyncio.timeout(60):
            await taken.changed.wait()
    assert [line["event"] for line in lines] == ["cannot accept connections"]
    assert lines[0]["reason"] == "Too many open files"
    await listener.close()


async def test_a_connection_that_cannot_be_served_does_not_stop_the_listener(taken):
    async def take(sock):
        if not taken.sockets:
            taken.sockets.append(sock)
            raise OSError(errno.EINVAL, "gone")
        await taken.take(sock)

    listener = Listener("test", take)
    await listener.start("127.0.0.1", 0)
    for _ in range(2):
        _, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        writer.close()
    async with asyncio.timeout(60):
        await taken.changed.wait()
    await listener.close()


async def test_a_port_in_use_is_an_error_and_leaves_nothing_open(taken):
    first, second = Listener("one", taken.take), Listener("two", taken.take)
    await first.start("127.0.0.1", 0)
    with pytest.raises(OSError, match="in use"):
        await second.start("127.0.0.1", first.port)
    await first.close()
    await second.start("127.0.0.1", first.port)
    await second.close()


async def test_a_name_is_bound_on_all_of_its_addresses_with_one_port(monkeypatch, taken):
    async def find(host, port, **kwargs):
        entry = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        return [(*entry, ("127.0.0.1", port)), (*entry, ("127.0.0.2", port)), (*entry, ("127.0.0.1", port))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", find)
    listener = Listener("test", taken.take)
    await listener.start("both.example", 0)
    for host in ("127.0.0.1", "127.0.0.2"):
        with socket.create_connection((host, listener.port)):
            pass
    await listener.close()
