"""Peers that serve files of impossible shapes, of other lengths, or with bytes behind their ends."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from inos import work
from inos.core.events import EventBus
from inos.core.matrices.service import MatrixService
from inos.core.threads import Threads
from inos.mesh.store import MatrixInfo, MatrixStore
from inos.network.service import NetworkService
from inos.network.wire.matrices import GetMatrix, GetRun, MatrixHead, RunData
from inos.primitives.hashing import Context, compute_hash
from inos.primitives.matrices import STRIP_BYTES, DType, compute_file_shape
from inos.primitives.units import MatrixId
from support.network_fakes import FakeNode, get_address, make_identity, make_service, raw_link, running, until
from support.raw_links import hear, hear_end, say

LIAR = 9
DATA = b"\xfe" * 3000


@asynccontextmanager
async def seeker(path: Path) -> AsyncIterator[tuple[NetworkService, MatrixService]]:
    """Run a node over sockets whose matrices are on disk and checked as in a real node."""
    node, threads = FakeNode(), Threads()

    async def ignore(matrix: MatrixId) -> None:
        del matrix

    matrices = MatrixService(MatrixStore(path), EventBus(), threads, ignore)
    node.matrices = matrices  # type: ignore[assignment]
    service = make_service(node, 2)
    await service.start()
    async with running(service):
        yield service, matrices
    threads.close()


def make_info(rows: int, cols: int) -> MatrixInfo:
    return MatrixInfo(DType.BYTES, rows, cols, compute_hash(Context.MATRIX_STRIP, bytes(STRIP_BYTES)))


def is_banned(service: NetworkService) -> bool:
    return [ban.subject for ban in service.list_bans()] == [make_identity(LIAR).node_id.hex()]


@pytest.mark.parametrize("shape", [(0, 0), (2, 0), (1, 1025), (2**20 + 1, 1), (2**32 - 1, 2**32 - 1)])
async def test_a_head_of_an_impossible_file_is_answered_with_a_ban(tmp_path: Path, shape: tuple[int, int]) -> None:
    info = make_info(*shape)
    async with seeker(tmp_path) as (service, matrices), raw_link(LIAR, get_address(service)) as link:
        await until(lambda: service.peers())
        service.sync.matrices.want([info.id])
        asked = await hear(link, GetMatrix)
        await say(link, MatrixHead(asked.request, info.dtype, info.rows, info.cols, info.root))
        await hear_end(link)
        await until(lambda: is_banned(service))
        assert matrices.store.count_bytes() == 0


@pytest.mark.parametrize("length", [0, 2999, 3001, 1 << 30])
async def test_another_length_is_not_that_of_the_id(tmp_path: Path, length: int) -> None:
    true = work.compute_file_ref(DATA)
    async with seeker(tmp_path) as (service, matrices), raw_link(LIAR, get_address(service)) as link:
        await until(lambda: service.peers())
        service.sync.matrices.want([true.matrix_id])
        asked = await hear(link, GetMatrix)
        await say(link, MatrixHead(asked.request, DType.BYTES, *compute_file_shape(length), true.root))
        await hear_end(link)
        await until(lambda: is_banned(service))
        assert matrices.store.count_bytes() == 0


@pytest.mark.parametrize("at", [3000, 3071, 3072, STRIP_BYTES - 1])
async def test_a_file_with_bytes_behind_its_end_is_not_stored(tmp_path: Path, at: int) -> None:
    strip = bytearray(DATA.ljust(STRIP_BYTES, b"\0"))
    strip[at] = 1
    info = MatrixInfo(DType.BYTES, *compute_file_shape(len(DATA)), compute_hash(Context.MATRIX_STRIP, bytes(strip)))
    async with seeker(tmp_path) as (service, matrices), raw_link(LIAR, get_address(service)) as link:
        await until(lambda: service.peers())
        service.sync.matrices.want([info.id])
        asked = await hear(link, GetMatrix)
        await say(link, MatrixHead(asked.request, info.dtype, info.rows, info.cols, info.root))
        asked = await hear(link, GetRun)
        await say(link, RunData(asked.request, asked.index, bytes(strip), ()))
        await hear_end(link)
        await until(lambda: is_banned(service))
        assert not matrices.store.has(info.id)


async def test_a_file_larger_than_the_asker_takes_costs_no_room(tmp_path: Path) -> None:
    info = make_info(2**20, 1024)
    async with seeker(tmp_path) as (service, matrices), raw_link(LIAR, get_address(service)) as link:
        await until(lambda: service.peers())
        service.sync.matrices.want([info.id], 4 << 20)
        asked = await hear(link, GetMatrix)
        await say(link, MatrixHead(asked.request, info.dtype, info.rows, info.cols, info.root))
        await until(lambda: service.sync.matrices._wants.get(info.id) is None)
        assert matrices.store.find_info(info.id) is None
        assert matrices.store.count_bytes() == 0
        assert service.list_bans() == []
