"""Test the explorer in headless Chromium, with real nodes and a paid job."""

import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inos.client.client import Client
from inos.consensus.prices import PPM, compute_window_share
from inos.devnet.intro import DEV_PHRASE
from inos.node.process import NodeSpec, RunningNode, start_node, stop_process
from inos.wallet.keys import derive_key
from support.browser import Page, find_chromium, open_browser
from support.cluster import ask, await_height
from support.explorer_page import search

CHROMIUM = find_chromium()
COMMON = ("--network", "devnet", "--rpc-port", "0", "--p2p-port", "0", "--log-format", "json", "--explorer")
MINES = ("--mine", "auto", "--filler-rate", "5000", "--threads", "1")
VECTORS = Path(__file__).parent.parent / "vectors" / "certificate.json"
FILES = VECTORS.with_name("files.json")
PHONE, DESK = (390, 844), (1200, 900)

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed (Debian: apt-get install chromium)"),
    pytest.mark.timeout(240),
]

CHECK_VECTORS = """
(async (vectors) => {
  const { blake3, hash } = await import("/explorer/blake3.js");
  const { fromHex, toHex } = await import("/explorer/bytes.js");
  const c = await import("/explorer/certificate.js");
  const wrong = [];
  let looked = 0;
  for (const v of vectors) {
    const draw = (name, rows) => Int8Array.from(
      blake3(new TextEncoder().encode(`${v.name}/${name}`), rows * v.k), (byte) => (byte & 127) - 64);
    const [x, w] = [draw("x", v.m), draw("w", v.n)];
    const strip = (matrix, rows, i, p) => {
      const found = new Int8Array(16 * 1024);
      for (let r = 0; r < 16; r++) for (let k = 0; k < 1024; k++)
        if (i * 16 + r < rows && p * 1024 + k < v.k) found[r * 1024 + k] = matrix[(i * 16 + r) * v.k + p * 1024 + k];
      return new Uint8Array(found.buffer);
    };
    const seeds = c.computeSeeds(fromHex(v.anchor), fromHex(v.w_id), fromHex(v.x_id));
    const same = (name, a, b) => {
      looked++;
      if (JSON.stringify(a) !== JSON.stringify(b)) wrong.push(`${v.name} ${name}`);
    };
    same("seeds", [toHex(seeds.seedX), toHex(seeds.seedW)], [v.seed_x, v.seed_w]);
    same("noise x", Array.from(c.computeNoiseRows(seeds.seedX, 0, 0).slice(0, 64)), v.noise_x_row0);
    same("noise w", Array.from(c.computeNoiseRows(seeds.seedW, 0, 64).slice(0, 64)), v.noise_w_row0);
    same("perm x", c.computePermutation(seeds.seedX, 0), v.perm_x_block0);
    same("perm w", c.computePermutation(seeds.seedW, 0), v.perm_w_block0);
    const panels = Math.ceil(v.k / 1024), strips = Math.ceil(v.m / 16);
    for (const [i, p, path] of [[0, 0, v.x_strip0_path], [strips - 1, panels - 1, v.x_last_strip_path]]) {
      const leaf = hash("matrix strip", strip(x, v.m, i, p));
      const root = c.computeRootFromPath(leaf, i * panels + p, strips * panels, path.map(fromHex));
      same("x id", toHex(c.computeMatrixId({ rows: v.m, cols: v.k, root })), v.x_id);
    }
    for (const [place, digest] of Object.entries(v.digests)) {
      const [i, j, p] = place.split(",").map(Number);
      const left = c.addNoise(strip(x, v.m, i, p), seeds.seedX, i * 16, p, 0, 64);
      const right = c.addNoise(strip(w, v.n, j, p), seeds.seedW, j * 16, p, 64, 0);
      same(place, toHex(c.computeDigest(seeds.seedX, c.multiplyTile(left, right).state)), digest);
    }
  }
  return [looked, wrong];
})(%s)
"""
CHECK_FREIVALDS = """
(async () => {
  const { check } = await import("/explorer/freivalds.js");
  const x = { rows: 3, cols: 2, data: Int8Array.of(1, -2, 63, -64, 0, 5) };
  const w = { rows: 2, cols: 2, data: Int8Array.of(7, -8, -64, 63) };
  const product = Int32Array.from({ length: 6 }, (_, at) => {
    const [r, c] = [Math.floor(at / 2), at % 2];
    return x.data[2 * r] * w.data[2 * c] + x.data[2 * r + 1] * w.data[2 * c + 1];
  });
  const seed = new Uint8Array(32).fill(9);
  const right = await check(seed, x, w, { rows: 3, cols: 2, data: product });
  const spoilt = product.slice();
  spoilt[5] += 1;
  const wrong = await check(seed, x, w, { rows: 3, cols: 2, data: spoilt });
  return [right.isRight, wrong.isRight, wrong.wrongRow];
})()
"""


COMPUTE_FILE_IDS = """
(async ({ files }) => {
  const { blake3 } = await import("/explorer/blake3.js");
  const { computeFileId } = await import("/explorer/matrices.js");
  const draw = (length) => blake3(new TextEncoder().encode(`file/${length}`), length);
  return Promise.all(files.map(({ length }) => computeFileId(draw(length))));
})(%s)
"""
COMPUTE_SHARES = """
(async (windows) => {
  const { computePaidShare } = await import("/explorer/share.js");
  const make = ([weight, tickets_settled]) => ({ weight, tickets_settled });
  return windows.map((blocks) => computePaidShare(blocks.map(make)));
})(%s)
"""
WINDOWS = ([], [[0, 0]], [[100, 30]], [[100, 300]], [[100, 300], [100, 0], [100, 0]], [[100, 300], [100, 0], [300, 20]])
"""Blocks' weights and tickets settled; a large job that one block settles fills more than that block's share."""


@contextlib.asynccontextmanager
async def run_nodes_with_a_job(folder: Path) -> AsyncIterator[tuple[RunningNode, str]]:
    """Start a miner, a node that serves the explorer, and post a job that is computed and paid."""
    async with contextlib.AsyncExitStack() as stack:
        miner = await start_node(NodeSpec("miner", folder / "miner", (*COMMON, *MINES)))
        stack.push_async_callback(stop_process, miner.process)
        plain = await start_node(NodeSpec("plain", folder / "plain", COMMON), [miner.p2p_address])
        stack.push_async_callback(stop_process, plain.process)
        await await_height(plain.rpc_url, 2)
        client = await stack.enter_async_context(Client(plain.rpc_url, wallet=derive_key(DEV_PHRASE)))
        rng = np.random.default_rng(4)
        x, w = (rng.integers(-64, 64, (rows, 300), np.int8) for rows in (70, 40))
        job = await client.post_job(x, w, reward="2")
        await client.wait_job(job, 90)
        yield plain, job


async def test_the_explorer_shows_and_checks_a_running_chain(tmp_path: Path) -> None:
    assert CHROMIUM is not None
    async with run_nodes_with_a_job(tmp_path) as (node, job), open_browser(CHROMIUM, tmp_path / "browser") as page:
        url = f"{node.rpc_url}/explorer/"
        await check_blocks(page, url)
        await check_certificate(page, url)
        await check_block_and_keys(page, url)
        await check_job(page, url, job)
        await check_file(page, url, node)
        await check_search(page, url, node, job)
        await check_other_pages(page, url)
        assert page.errors == []
        places = {each.split("/")[2] for each in page.requests if not each.startswith(("about:", "blob:"))}
        assert places == {node.rpc_url.removeprefix("http://")}, "the page asked another host"


async def test_the_browser_computes_what_the_vectors_say(tmp_path: Path) -> None:
    assert CHROMIUM is not None
    node = await start_node(NodeSpec("node", tmp_path / "node", COMMON))
    try:
        async with open_browser(CHROMIUM, tmp_path / "browser") as page:
            await page.open(f"{node.rpc_url}/explorer/")
            await page.wait("document.querySelector('h1')")
            looked, wrong = await page.run(CHECK_VECTORS % VECTORS.read_text())
            assert wrong == []
            assert looked > 30
            assert await page.run(CHECK_FREIVALDS) == [True, False, 2]
            ids = [each["id"] for each in json.loads(FILES.read_text())["files"]]
            assert await page.run(COMPUTE_FILE_IDS % FILES.read_text()) == ids
            for window, share in zip(WINDOWS, await page.run(COMPUTE_SHARES % json.dumps(WINDOWS)), strict=True):
                weight, settled = (sum(block[at] for block in window) for at in (0, 1))
                expected = compute_window_share(settled=settled, weight=weight, settled_burn=0, subsidies=0)
                assert share == pytest.approx(expected.paid_ppm / PPM, abs=1 / PPM)
    finally:
        await stop_process(node.process)


async def go(page: Page, url: str, condition: str) -> Any:
    await page.open(url)
    return await page.wait(condition)


async def check_blocks(page: Page, url: str) -> None:
    """The list appears, fits phone and desktop in both colour schemes, and grows by itself."""
    for (width, height), is_dark in ((PHONE, True), (DESK, False)):
        await page.resize(width, height, is_dark=is_dark)
        await go(page, f"{url}#/blocks", "document.querySelectorAll('tbody tr').length > 2")
        assert await page.run("document.documentElement.scrollWidth") <= width
        ground = json.loads(
            "[" + (await page.run("getComputedStyle(document.body).backgroundColor")).removeprefix("rgb(")[:-1] + "]"
        )
        assert (sum(ground) < 150) is is_dark
    newest = "Number(document.querySelector('tbody td').textContent)"
    before = await page.run(newest)
    await page.wait(f"{newest} > {before}", 60)
    assert "● live" in await page.run("document.getElementById('live').textContent")


async def check_certificate(page: Page, url: str) -> None:
    """All steps are green, and red if one bit of the witness is changed."""
    await page.open(f"{url}#/certificate/1")
    await page.wait("document.querySelector('#verdict.good')")
    assert await page.run("document.querySelectorAll('#steps li.good').length") == 13
    assert await page.run("document.querySelectorAll('canvas').length") == 20
    await page.run("document.getElementById('tamper').click()")
    await page.wait("document.querySelector('#verdict.bad')")
    steps = await page.run("[...document.querySelectorAll('#steps li.bad b')].map((one) => one.textContent)")
    assert any("is in the committed matrix" in step for step in steps), steps
    assert any("digest of the tile" in step for step in steps), steps


async def check_block_and_keys(page: Page, url: str) -> None:
    """A block is found by its height; arrow keys move, the slash searches, and Tab reaches the skip link first."""
    await page.open(f"{url}#/block/1")
    await page.wait("document.querySelector('h1')?.textContent === 'Block 1'")
    await page.press("ArrowRight")
    await page.wait("document.querySelector('h1')?.textContent === 'Block 2'")
    await page.press("ArrowLeft")
    await page.wait("document.querySelector('h1')?.textContent === 'Block 1'")
    await page.press("/", "/")
    await page.wait("document.activeElement.id === 'query'")
    assert await page.run("document.getElementById('query').value") == ""


async def check_job(page: Page, url: str, job: str) -> None:
    """The page shows the job's history, its matrices as pictures, and Freivalds' check in the browser."""
    await page.open(f"{url}#/job/{job}")
    await page.wait("document.getElementById('check')")
    events = await page.run("[...document.querySelectorAll('tbody tr td:nth-child(2)')].map((one) => one.textContent)")
    assert (events[0], events[-1]) == ("posted", "settled")
    await page.run("document.getElementById('check').click()")
    await page.wait("document.querySelector('#freivalds.good')", 60)
    assert await page.run("document.querySelectorAll('canvas').length") == 3


async def check_file(page: Page, url: str, node: RunningNode) -> None:
    """A file is found by its id, checked against it, shown and offered for download."""
    async with Client(node.rpc_url) as client:
        file, empty = [(await client.put_bytes(data)).id.hex() for data in (b"hello\n" * 9000, b"")]
    await search(page, file)
    await page.wait("document.getElementById('fetch')")
    assert await page.run("location.hash") == f"#/matrix/{file}"
    assert "54\u202f000 bytes" in await page.run("document.querySelector('dl').textContent")
    await page.run("document.getElementById('fetch').click()")
    await page.wait("document.querySelector('#verdict.good')")
    assert await page.run("document.getElementById('download').textContent") == "Download 54\u202f000 bytes"
    assert "hello." in await page.run("document.getElementById('dump').textContent")
    await page.open(f"{url}#/matrix/{empty}")
    await page.wait(f"document.querySelector('dl')?.textContent.includes({empty!r})")
    await page.run("document.getElementById('fetch').click()")
    await page.wait("document.getElementById('download')?.textContent === 'Download 0 bytes'")


async def check_search(page: Page, url: str, node: RunningNode, job: str) -> None:
    """Search works by height, id, its first digits and address, and reports what does not exist."""
    head = await ask(node.rpc_url, "chain_getBlock", {"block": 1})
    address = head["header"]["beneficiary"]
    for text, place in (
        ("2", "#/block/2"),
        (head["id"].upper(), f"#/block/{head['id']}"),
        (job, f"#/job/{job}"),
        (head["id"][:12], f"#/block/{head['id']}"),
        (f"0x{job[:9]}", f"#/job/{job}"),
        (address, f"#/account/{address}"),
    ):
        await search(page, text)
        await page.wait(f"location.hash === {place!r} && document.querySelector('dl')")
    await search(page, "ab" * 32)
    await page.wait("document.getElementById('main').dataset.page === 'search'")
    await page.open(f"{url}#/account/{address}/reputation")
    await page.wait("document.querySelectorAll('.chart').length === 1")


async def check_other_pages(page: Page, url: str) -> None:
    await page.resize(*PHONE)
    for place, condition in (
        ("jobs", "document.querySelector('tbody tr')"),
        ("charts", "document.querySelectorAll('.chart svg').length === 12"),
        ("finality", "document.querySelector('td[data-title=share]')?.textContent === '100\u202f%'"),
        ("finality", "document.querySelector('main').textContent.includes('1 of 1 voters')"),
        ("peers", "document.querySelector('h1')?.textContent === '1 peer'"),
    ):
        await page.open(f"{url}#/{place}")
        await page.wait(condition, 60)  # A committee forms and votes while this waits.
        assert await page.run("document.documentElement.scrollWidth") <= PHONE[0]
