"""The WebGPU backend, on Mesa's software driver where there is no card."""

import numpy as np
import pytest

from inos.work.backends.card import CardBackend, CardFailed
from support.card_products import ALL, TILES, compare

pytest.importorskip("wgpu", reason='the extra "webgpu" is not installed')

from inos.work.backends.webgpu.card import WebGpuCard, pack


@pytest.fixture(scope="module")
def backend() -> CardBackend:
    backend = CardBackend("webgpu", lambda: WebGpuCard(accepts_software=True))
    if obstacle := backend.get_obstacle():
        pytest.skip(f"{obstacle} (Debian: apt-get install mesa-vulkan-drivers)")
    return backend


@pytest.mark.parametrize("tile", TILES, ids=str)
def test_tickets_are_those_of_the_reference(backend: CardBackend, tile: tuple[int, int, int, int]) -> None:
    assert compare(backend, *tile) > 0


@pytest.mark.parametrize("fill", [-64, 63])
def test_the_greatest_depth_is_exact(backend: CardBackend, fill: int) -> None:
    compare(backend, 3, 2, 65_536, 1 << 255, fill=fill)


def test_many_workgroups(backend: CardBackend) -> None:
    assert compare(backend, 170, 290, 1025, 1 << 251) > 0
    assert compare(backend, 16, 16, 1024, ALL) == 1


def test_software_is_refused_unless_asked_for(backend: CardBackend) -> None:
    if "llvmpipe" not in backend.card.name:
        pytest.skip("this machine has a card")
    with pytest.raises(CardFailed, match="runs on the processor"):
        WebGpuCard()


def test_packing() -> None:
    rows = np.arange(32 * 1024, dtype=np.uint32).astype(np.int8).reshape(32, 1024)
    packed = pack(rows)
    assert packed.shape == (2, 256, 16)
    assert packed.view(np.int8).reshape(2, 256, 16, 4)[1, 7, 3].tolist() == rows[19, 28:32].tolist()
