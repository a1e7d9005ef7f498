"""Test the kernels of the page that works for a node: WebAssembly, and WebGPU in software, against the vectors and the
reference."""

import json
from pathlib import Path

import pytest

from inos.primitives.blocks import compute_anchor
from inos.work import mine
from inos.workers.filler import make_operands
from inos.workers.messages import Filler, NewTemplate, encode_message, make_header
from support.browser import find_chromium
from support.page_node import HEADER
from support.work_page import open_page

VECTORS = Path(__file__).parent.parent / "vectors" / "workers.json"
CHROMIUM = find_chromium()
DRAW_AT_PACES = """
(async ({ encoded, filler, paces, ms }) => {
  const { fromHex } = await import("/explorer/bytes.js");
  const { readMessage } = await import("/explorer/work/messages.js");
  const module = await WebAssembly.compileStreaming(fetch("/explorer/work/kernel.wasm"));
  const { head, number } = readMessage(fromHex(encoded)), none = new Uint8Array(32), drawn = [];
  const own = { ...filler, seed: fromHex(filler.seed) };
  const worker = new Worker("/explorer/work/thread.js", { type: "module" });
  let sum = 0;
  worker.onmessage = ({ data }) => { sum += data.drawn; };
  worker.postMessage({ kind: "start", module, thread: 0, source: null });
  worker.postMessage({ kind: "template", prefix: 2 ** 31, number, head, winTarget: none });
  worker.postMessage({ kind: "assignment", number: 1, target: none, filler: own });
  while (sum === 0) await new Promise((done) => setTimeout(done, 20));
  for (const pace of paces) {
    worker.postMessage({ kind: "pace", pace });
    sum = 0;
    await new Promise((done) => setTimeout(done, ms));
    drawn.push(sum);
  }
  worker.terminate();
  return drawn;
})(%s)
"""

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed (Debian: apt-get install chromium)"),
    pytest.mark.timeout(180),
]

READ_MESSAGES = """
(async (messages) => {
  const { decode, encode, fromHex, toHex } = await import("/explorer/bytes.js");
  return messages.map(({ encoded }) => toHex(encode(decode(fromHex(encoded)))));
})(%s)
"""
DRAW_FILLER = """
(async ({ seed, shape, header, draws }) => {
  const { encode, fromHex, toHex } = await import("/explorer/bytes.js");
  const { hash } = await import("/explorer/blake3.js");
  const { findCard, Card } = await import("/explorer/work/card.js");
  const { Kernel } = await import("/explorer/work/kernel.js");
  const module = await WebAssembly.compileStreaming(fetch("/explorer/work/kernel.wasm"));
  const kernel = new Kernel(module), engines = [kernel];
  const found = await findCard(true);
  if (found) {
    const source = await (await fetch("/explorer/work/kernel.wgsl")).text();
    engines.push(await Card.open(found.adapter, source, new Kernel(module)));
  }
  const [rowsX, rowsW, depth] = shape, outcomes = [];
  for (const engine of engines) {
    engine.open({ seed: fromHex(seed), rowsX, rowsW, depth });
    const drawn = [];
    for (const { anchor } of draws) {
      const digests = {};
      for await (const { wins } of engine.draw(fromHex(anchor), new Uint8Array(32).fill(255))) {
        for (const { i, j, p, digest } of wins) digests[[i, j, p]] = toHex(digest);
      }
      drawn.push(digests);
    }
    outcomes.push(drawn);
  }
  const bytes = header.map((field) => (typeof field === "string" ? fromHex(field) : field));
  const anchors = draws.map(({ nonce }) => toHex(hash("anchor", encode([...bytes, BigInt(nonce)]))));
  return { ids: kernel.ids.map(toHex), outcomes, anchors, isCard: found !== null };
})(%s)
"""
DRAW_IN_THREAD = """
(async ({ encoded, filler, isCard }) => {
  const { fromHex, toHex } = await import("/explorer/bytes.js");
  const { readMessage } = await import("/explorer/work/messages.js");
  const module = await WebAssembly.compileStreaming(fetch("/explorer/work/kernel.wasm"));
  const source = isCard ? await (await fetch("/explorer/work/kernel.wgsl")).text() : null;
  const { head, number } = readMessage(fromHex(encoded));
  const none = new Uint8Array(32), target = new Uint8Array(32).fill(255);
  target[0] = 7; // one of 32 tickets
  const worker = new Worker("/explorer/work/thread.js", { type: "module" });
  const shares = [];
  await new Promise((done, fail) => {
    worker.onmessage = ({ data }) => {
      if (data.kind !== "drawn") return fail(new Error(data.message));
      shares.push(...data.shares);
      if (shares.length > 20) done();
    };
    worker.postMessage({ kind: "start", module, thread: 3, source, acceptsSoftware: true });
    worker.postMessage({ kind: "template", prefix: 2 ** 31, number, head, winTarget: none });
    worker.postMessage({ kind: "assignment", number: 1, target, filler: { ...filler, seed: fromHex(filler.seed) } });
  });
  worker.terminate();
  return shares.map(({ nonce, i, j, p, digest }) => [nonce.toString(), i, j, p, toHex(digest)]);
})(%s)
"""


async def test_the_kernels_of_the_page_draw_what_the_vectors_say(tmp_path: Path) -> None:
    vectors = json.loads(VECTORS.read_text())
    async with open_page(tmp_path, "--enable-unsafe-webgpu") as (_, page):
        encoded = [each["encoded"] for each in vectors["messages"]]
        assert await page.run(READ_MESSAGES % json.dumps(vectors["messages"])) == encoded
        filler = vectors["filler"]
        found = await page.run(DRAW_FILLER % json.dumps(filler))
        assert found["ids"] == [filler["x_id"], filler["w_id"]]
        assert found["anchors"] == [draw["anchor"] for draw in filler["draws"]]
        for outcome in found["outcomes"]:
            assert outcome == [draw["digests"] for draw in filler["draws"]]
        assert found["isCard"], "Chromium offers no WebGPU in software"
        assert await page.run("document.getElementById('use-card').disabled"), "a fallback adapter is no card"


@pytest.mark.parametrize("is_card", [False, True])
async def test_a_thread_draws_all_shares_of_each_nonce(tmp_path: Path, is_card: bool) -> None:
    filler = Filler(bytes([8] * 32), 96, 80, 1500)
    template = encode_message(NewTemplate(1, HEADER, bytes(32)))
    said = {
        "encoded": template.hex(),
        "filler": {"seed": filler.seed.hex(), "rowsX": 96, "rowsW": 80, "depth": 1500},
        "isCard": is_card,
    }
    async with open_page(tmp_path, "--enable-unsafe-webgpu") as (_, page):
        shares = [tuple(share) for share in await page.run(DRAW_IN_THREAD % json.dumps(said))]
    x, w = make_operands(filler)
    last = max(int(share[0]) for share in shares)
    for nonce in range(2**63 + 3 * 2**20, last):  # the last one may not be finished
        drawn = mine(x, w, compute_anchor(make_header(HEADER, nonce)), (8 << 248) - 1)
        expected = {(str(nonce), win.seal.i, win.seal.j, win.seal.p, win.seal.digest.hex()) for win in drawn.wins}
        assert {share for share in shares if int(share[0]) == nonce} == expected


async def test_a_thread_rests_for_as_long_as_its_pace_says(tmp_path: Path) -> None:
    said = {
        "encoded": encode_message(NewTemplate(1, HEADER, bytes(32))).hex(),
        "filler": {"seed": bytes(32).hex(), "rowsX": 256, "rowsW": 256, "depth": 1024},
        "paces": [1, 0.03],
        "ms": 2000,
    }
    async with open_page(tmp_path) as (_, page):
        full, slow = await page.run(DRAW_AT_PACES % json.dumps(said))
    assert 0 < slow < full / 2, (full, slow)
