"""Test the explorer's page of a lineage in headless Chromium: records, the fitness and the family tree."""

import json
from pathlib import Path

import pytest

from inos.client.client import Client
from inos.evolve.evolving import evolve
from inos.evolve.exchange import FolderNeighbours
from inos.evolve.files import FolderFiles
from inos.evolve.island import Island
from inos.evolve.runners import LocalRunner
from inos.node.process import NodeSpec, start_node, stop_process
from support.browser import Page, find_chromium, open_browser
from support.evolution import advance, make_island
from support.explorer_page import search

CHROMIUM = find_chromium()
FLAGS = ("--network", "devnet", "--rpc-port", "0", "--p2p-port", "0", "--log-format", "json", "--explorer")
PHONE, DESK = (390, 844), (1400, 900)
READ = """
(async (text) => {
  const { fromHex } = await import("/explorer/bytes.js");
  const { readRecord } = await import("/explorer/evolution.js");
  try { return readRecord(fromHex(text)); } catch (error) { return error.message; }
})(%s)
"""

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed (Debian: apt-get install chromium)"),
    pytest.mark.timeout(240),
]


def make_family(folder: Path) -> Island:
    """Return an island that has taken a genome of another one."""
    advance(make_island(folder / "one", "one"), 9)
    advance(make_island(folder / "other", "other"), 3)
    island = Island(folder / "other", others=[FolderFiles(folder / "one" / "files")])
    evolve(island, LocalRunner(), 6, neighbours=[FolderNeighbours([folder / "one"])], look_every=3)
    return island


async def test_the_explorer_draws_a_lineage(tmp_path: Path) -> None:
    assert CHROMIUM is not None
    island = make_family(tmp_path)
    assert island.head is not None
    head, record = island.head
    node = await start_node(NodeSpec("node", tmp_path / "node", FLAGS))
    try:
        async with Client(node.rpc_url) as client:
            for folder in ("one", "other"):
                for file in (tmp_path / folder / "files").iterdir():
                    await client.put_bytes(file.read_bytes())
        async with open_browser(CHROMIUM, tmp_path / "browser") as page:
            url = f"{node.rpc_url}/explorer/"
            await check_page(page, f"{url}#/evolution/{head.hex()}", record.fitness)
            await check_reading(page, (tmp_path / "other" / "files" / head.hex()).read_bytes())
            await page.open(f"{url}#/blocks")
            await page.wait("document.getElementById('main').dataset.page === 'blocks'")
            await search(page, head.hex())
            await page.wait(f"location.hash === '#/evolution/{head.hex()}'")
            await page.open(f"{url}#/matrix/{head.hex()}")
            await page.wait("document.getElementById('fetch')")
            await page.run("document.getElementById('fetch').click()")
            await page.wait("document.getElementById('lineage')")
            await page.open(f"{url}#/evolution/{record.genome.hex()}")
            await page.wait("document.querySelector('main [role=alert]')?.textContent.includes('record of evolution')")
            assert page.errors == []
    finally:
        await stop_process(node.process)


async def check_page(page: Page, url: str, fitness: int) -> None:
    """The page shows both islands and what was taken, and fits a phone."""
    for width, height in (DESK, PHONE):
        await page.resize(width, height)
        await page.open("about:blank")
        await page.open(url)
        await page.wait("document.querySelectorAll('.lineage .lane').length === 2")
        assert await page.run("document.querySelectorAll('.lineage path.taken').length") == 1
        assert await page.run("document.querySelectorAll('.chart path.line').length") == 1
        assert await page.run("document.querySelectorAll('tbody tr').length") == 9 + 9
        assert await page.run("document.documentElement.scrollWidth") <= width
    assert f"with fitness {fitness}" in await page.run("document.querySelector('main').innerText")


async def check_reading(page: Page, data: bytes) -> None:
    """The page reads the bytes of a record, and refuses those with another version, length, or field."""
    assert (await page.run(READ % json.dumps(data.hex())))["number"] == 8
    wrong = [data[:1] + b"\x02" + data[2:], data + b"\0", data[:-1], b"\x9a" + data[1:-1], b"\x01", b""]
    for each in wrong:
        assert isinstance(await page.run(READ % json.dumps(each.hex())), str)
