"""Test the page that works for a node in headless Chromium, against a node that recomputes every share."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from inos.primitives import bech32m
from inos.primitives.blocks import compute_anchor
from inos.primitives.units import U256_MAX, Address, Target
from inos.wallet.keys import derive_key
from inos.wallet.phrase import make_phrase
from inos.work import mine
from inos.workers.filler import make_operands
from inos.workers.messages import (
    Assignment,
    Cancelled,
    Declined,
    Filler,
    Hello,
    NewTemplate,
    Piece,
    Refused,
    Result,
    WorkerKind,
    encode_message,
    make_header,
)
from support.browser import Page, find_chromium, open_browser
from support.page_node import FILLER, HEADER, HRP, SHARE_TARGET, PageNode, open_page_node
from support.work_lab import open_lab

CHROMIUM = find_chromium()
PAYEE = Address(bytes([7] * 20))
VECTORS = Path(__file__).parent.parent / "vectors" / "workers.json"
PASSWORD = "ten letters"
STATE = "document.getElementById('state').textContent"

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
COMPUTE_ADDRESS = """
(async (entropy) => {
  const { makePhrase, computeAddress } = await import("/explorer/work/key.js");
  const { toHex } = await import("/explorer/bytes.js");
  const phrase = await makePhrase(Uint8Array.from(entropy));
  return [phrase, toHex(await computeAddress(phrase))];
})(%s)
"""
CODE_ADDRESSES = """
(async ([hrp, hex, texts]) => {
  const { decodeAddress, encodeAddress } = await import("/explorer/work/address.js");
  const { fromHex, toHex } = await import("/explorer/bytes.js");
  const read = (text) => { try { return toHex(decodeAddress(hrp, text)); } catch (error) { return error.message; } };
  return [encodeAddress(hrp, fromHex(hex)), texts.map(read)];
})(%s)
"""


@asynccontextmanager
async def open_page(folder: Path, *flags: str, host: str = "127.0.0.1") -> AsyncIterator[tuple[PageNode, Page]]:
    assert CHROMIUM is not None
    async with open_page_node(host) as node, open_browser(CHROMIUM, folder / "browser", flags) as page:
        await page.open(f"{node.url}/explorer/work/")
        await page.wait(f"{STATE} === 'ready'")
        yield node, page


async def click(page: Page, name: str) -> None:
    await page.run(f"document.getElementById({name!r}).click()")


async def fill(page: Page, name: str, text: str) -> None:
    script = f"const field = document.getElementById({name!r}); field.value = {json.dumps(text)};"
    await page.run(f"(() => {{ {script} field.dispatchEvent(new Event('input')); }})()")


async def begin(page: Page) -> None:
    """Type an address and press the button."""
    await fill(page, "address", bech32m.encode(HRP, PAYEE))
    await click(page, "start")


async def test_a_page_draws_shares_that_the_node_recomputes_and_stops_at_once(tmp_path: Path) -> None:
    async with open_page(tmp_path) as (node, page):
        await begin(page)
        await node.wait(lambda: len(node.shares) > 20, 10)
        assert node.list_received(Hello)[0].address == PAYEE  # type: ignore[union-attr]
        await page.wait("Number(document.getElementById('rate').textContent.replace(/\\D/g, '')) > 100", 10)
        await page.wait("Number(document.getElementById('shares').textContent) > 20", 10)
        # A template, and then an assignment, replace those before while threads come and go.
        await node.say_template(2, replace(HEADER, height=42))
        await node.wait(lambda: any(isinstance(one, Result) and one.template == 2 for one in node.received))
        for count in ("2", "1", "2"):
            await page.run("document.getElementById('threads').max = 2")
            await fill(page, "threads", count)
        await node.say_filler(2, Filler(bytes([6] * 32), 64, 64, 64))
        before = len(node.shares)
        await node.wait(lambda: any(isinstance(one, Result) and one.assignment == 2 for one in node.received))
        await node.wait(lambda: len(node.shares) > before + 20)
        assert node.problems == []
        assert "block 42" in await page.run("document.getElementById('facts').textContent")
        await click(page, "start")
        await page.wait(f"{STATE} === 'stopped'", 2)
        assert await page.run("document.getElementById('rate').textContent") == "0"
        assert page.errors == []


async def test_a_page_declines_pieces_and_follows_what_a_node_says(tmp_path: Path) -> None:
    async with open_page(tmp_path) as (node, page):
        node.refusal = Refused("busy", "there is no place", 1)
        await begin(page)
        await page.wait(f"{STATE}.includes('there is no place')")
        node.refusal = None
        node.win_target = U256_MAX // 2  # only the first win of a template is told, unless it is a share
        await node.wait(lambda: bool(node.shares))  # it connected again
        assert len({share.nonce for share in node.shares if int.from_bytes(share.digest, "big") > SHARE_TARGET}) == 1
        await node.say(Cancelled(1))
        await page.wait(f"{STATE}.startsWith('waiting')")
        await page.wait("document.getElementById('rate').textContent === '0'")
        await node.say_filler(1, FILLER)
        ref = node.get_operands(1)[0].ref
        await node.say(Assignment(2, SHARE_TARGET.to_bytes(32, "big"), Piece(ref, ref, 0, 1, True)))
        await node.wait(lambda: bool(node.list_received(Declined)))
        before = len(node.shares)
        await node.wait(lambda: len(node.shares) > before)
        hellos = len(node.list_received(Hello))
        await node.sockets[-1].close()
        await node.wait(lambda: len(node.list_received(Hello)) > hellos)
        before = len(node.shares)
        await node.wait(lambda: len(node.shares) > before)
        assert node.problems == []
        await node.say_template(2, replace(HEADER, beneficiary=bytes(20)))
        await page.wait(f"{STATE}.includes('pays another address')")
        before = len(node.received)
        await asyncio.sleep(1)
        assert len(node.received) <= before + 1, "the page worked on for a node that lies about whom it pays"


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


async def test_a_key_of_the_page_is_that_of_the_wallet(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    async with open_page(tmp_path) as (node, page):
        for _ in range(4):
            entropy = rng.bytes(16)
            phrase, address = await page.run(COMPUTE_ADDRESS % list(entropy))
            assert phrase == make_phrase(12, entropy)
            assert address == derive_key(phrase).address.hex()
        await check_addresses(page)
        await fill(page, "password", "short")
        await click(page, "make-key")
        await page.wait("document.getElementById('key').textContent.includes('at least 10 characters')")
        await fill(page, "password", PASSWORD)
        await click(page, "make-key")
        await page.wait("document.querySelectorAll('.words li').length === 12")
        words = await page.run("[...document.querySelectorAll('.words li')].map((one) => one.textContent).join(' ')")
        own = bech32m.encode(HRP, derive_key(words).address)
        assert await page.run("document.getElementById('address').value") == own
        stored = await page.run("JSON.stringify(localStorage)")
        assert not any(f'"{word}' in stored or f" {word} " in stored for word in words.split())
        await reopen_key(page, node, words, own)


async def reopen_key(page: Page, node: PageNode, words: str, own: str) -> None:
    """The key is still there after the page was loaded again; its words need the password."""
    await page.open("about:blank")
    await page.open(f"{node.url}/explorer/work/")
    await page.wait(f"{STATE} === 'ready'")
    assert await page.run("document.getElementById('address').value") == own
    assert await page.run("document.querySelectorAll('.words li').length") == 0
    for password, found in (("wrong password", "the password is wrong"), (PASSWORD, words.split()[0])):
        await fill(page, "open-password", password)
        await page.run("document.getElementById('open-password').form.requestSubmit()")
        await page.wait(f"document.getElementById('key').textContent.includes({found!r})")
    await page.run("window.confirm = () => true")
    await click(page, "forget-key")
    await page.wait("document.getElementById('make-key')")
    assert await page.run("localStorage.getItem('work-key')") is None


async def check_addresses(page: Page) -> None:
    """The page reads addresses as the node does, and says what is wrong with others."""
    right = bech32m.encode(HRP, PAYEE)
    wrong = {
        right[:-1] + ("q" if right[-1] != "q" else "p"): "checksum",
        bech32m.encode("inosx", PAYEE): "another network",
        bech32m.encode(HRP, bytes(19)): "20 bytes",
        right.replace("1", "1b", 1): "not allowed",
        right[:8] + right[8:].upper(): "mixed",
        "nothing": "begins with",
    }
    arguments: list[Any] = [HRP, PAYEE.hex(), [right, right.upper(), *wrong]]
    text, read = await page.run(CODE_ADDRESSES % json.dumps(arguments))
    assert text == right
    assert read[:2] == [PAYEE.hex()] * 2
    for said, expected in zip(read[2:], wrong.values(), strict=True):
        assert expected in said
    await fill(page, "address", next(iter(wrong)))
    assert "checksum" in await page.run("document.getElementById('address-error').textContent")
    assert await page.run("document.getElementById('start').disabled")


async def test_a_page_over_plain_http_from_another_host_works_without_key_and_card(tmp_path: Path) -> None:
    """Chromium takes a name other than localhost for another host, whose plain HTTP is not secure."""
    flags = ("--host-resolver-rules=MAP node.example 127.0.0.1", "--enable-unsafe-webgpu")
    async with open_page_node() as node:
        assert CHROMIUM is not None
        async with open_browser(CHROMIUM, tmp_path / "browser", flags) as page:
            await page.open(f"{node.url.replace('127.0.0.1', 'node.example')}/explorer/work/")
            await page.wait(f"{STATE} === 'ready'")
            assert not await page.run("isSecureContext")
            assert "plain HTTP" in await page.run("document.getElementById('insecure').textContent")
            assert await page.run("document.getElementById('make-key')") is None
            assert await page.run("document.getElementById('use-card').disabled")
            await begin(page)
            await node.wait(lambda: len(node.shares) > 3, 10)
            assert node.problems == []


async def test_a_page_rests_on_battery_and_halves_itself_in_the_background(tmp_path: Path) -> None:
    async with open_page(tmp_path) as (node, page):
        power = "(await import('/explorer/work/power.js')).Power"
        looked = await page.run(
            f"""(async () => {{
              const listeners = [], battery = {{ charging: true, addEventListener: (_, look) => listeners.push(look) }};
              navigator.getBattery = async () => battery;
              const seen = [], power = new ({power})(() => seen.push(power.isPlugged));
              await new Promise((done) => setTimeout(done));
              battery.charging = false;
              listeners.forEach((look) => look());
              return seen;
            }})()"""
        )
        assert looked == [True, False]
        await begin(page)
        await node.wait(lambda: len(node.shares) > 3)
        full = await measure(node)
        await page.run(
            "Object.defineProperty(document, 'hidden', { value: true, configurable: true });"
            "document.dispatchEvent(new Event('visibilitychange'))"
        )
        halves = [await measure(node) for _ in range(3)]
        assert min(halves) < 0.8 * full  # the machine has other work as well
        assert node.problems == []


async def measure(node: PageNode, seconds: float = 3) -> int:
    """Return how many tickets the page draws in some seconds."""
    results = len(node.list_received(Result))
    await asyncio.sleep(seconds)
    return sum(one.drawn for one in node.list_received(Result)[results:])  # type: ignore[union-attr]


LIE = """
(() => {
  const send = WebSocket.prototype.send;
  WebSocket.prototype.send = function (bytes) {
    const isResult = bytes[1] === 3 && bytes.length > 40;
    if (isResult) bytes[bytes.length - 2] ^= 1; // the last byte of the last share's digest
    return send.call(this, bytes);
  };
})()
"""


async def test_the_worker_service_counts_a_page_s_shares_and_its_block_and_refuses_a_lying_page(tmp_path: Path) -> None:
    assert CHROMIUM is not None
    async with open_lab(has_pool=True) as lab, open_browser(CHROMIUM, tmp_path / "browser") as page:
        lab.pool.target = Target(U256_MAX // 4000)
        url = f"{lab.url.removesuffix('/work')}/explorer/work/"
        await page.open(url)
        await page.wait(f"{STATE} === 'ready'")
        await begin(page)
        await lab.until(lambda: len(lab.pool.shares) > 5)
        assert {(info.address, info.kind) for info, _ in lab.pool.shares} == {(PAYEE, WorkerKind.PAGE)}
        await page.wait("Number(document.getElementById('shares').textContent) > 5", 10)
        assert await page.run("document.getElementById('unpaid').firstChild.title.endsWith('credits')")
        lab.node.target = Target(U256_MAX // 20_000)
        lab.node.make_block()  # workers get a template with this target
        await lab.until(lambda: lab.service.get_status().blocks_won > 0)
        assert lab.service.get_status().errors == {}
        await page.open("about:blank")  # a closed page is gone at once
        await lab.until(lambda: len(lab.pool.removed) == 1 and not lab.service.get_status().workers)
        counted = len(lab.pool.shares)
        await page.open(url)
        await page.wait(f"{STATE} === 'ready'")
        await page.run(LIE)
        await begin(page)
        await page.wait(f"{STATE}.startsWith('the node refused')", 20)
        assert lab.service.get_status().errors == {"wrong-digest": 1}
        assert len(lab.pool.shares) <= counted + 64, "shares of a wrong Result were counted"
        assert await page.run("document.getElementById('start').textContent") == "Start"
        assert page.errors == []
