"""Test the page that works for a node in headless Chromium, against a node that recomputes every share."""

import asyncio
from pathlib import Path

import pytest
from msgspec.structs import replace

from inos.primitives.units import U256_MAX, Target
from inos.workers.messages import (
    Assignment,
    Cancelled,
    Declined,
    Filler,
    GetRun,
    Hello,
    Piece,
    Refused,
    Result,
    RunData,
    WorkerKind,
)
from inos.workers.server.runs import read_run
from support.browser import find_chromium, open_browser
from support.page_node import FILLER, HEADER, SHARE_TARGET, open_page_node
from support.work_lab import open_lab
from support.work_page import PAYEE, STATE, begin, click, fill, open_page

CHROMIUM = find_chromium()

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed (Debian: apt-get install chromium)"),
    pytest.mark.timeout(180),
]


async def test_a_page_draws_shares_that_the_node_recomputes_and_stops_at_once(tmp_path: Path) -> None:
    async with open_page(tmp_path) as (node, page):
        await begin(page)
        await node.wait(lambda: len(node.shares) > 20, 10)
        assert node.list_received(Hello)[0].address == PAYEE  # type: ignore[union-attr]
        await page.wait("Number(document.getElementById('rate').textContent.replace(/\\D/g, '')) > 100", 60)
        await page.wait("Number(document.getElementById('shares').textContent) > 20", 60)
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
        await page.wait(f"{STATE} === 'stopped'", 60)
        assert await page.run("document.getElementById('rate').textContent") == "0"
        assert page.errors == []


async def test_a_page_declines_what_is_no_piece_and_follows_what_a_node_says(tmp_path: Path) -> None:
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
        x, w = (operand.ref for operand in node.get_operands(1))
        data, path = read_run(node.get_operands(1)[0], 0)
        wrong = (data[:-1] + bytes([data[-1] ^ 1]), path), (data, (*path, bytes(32))), (data[:16_384], path)
        for number, (work, run, reason) in enumerate(
            (
                (Piece(replace(x, rows=x.rows + 1), w, 0, 1, True), None, "has another id"),
                (Piece(x, w, 1, 1, True), None, "does not fit together"),
                (Piece(x, w, 0, 17, True), None, "does not fit together"),
                (Piece(x, w, 0, 1, True), wrong[0], "does not lead to the root"),
                (Piece(x, w, 0, 1, True), wrong[1], "wrong length"),
                (Piece(x, w, 0, 1, True), wrong[2], "has 16384 bytes"),
            ),
            start=2,
        ):
            await node.say(Assignment(number, SHARE_TARGET.to_bytes(32, "big"), work))
            if run is not None:
                await node.wait(lambda number=number: len(node.list_received(GetRun)) >= 2 * (number - 4))  # type: ignore[misc]
                await node.say(RunData(x.id, 0, *run))
            await node.wait(lambda number=number: len(node.list_received(Declined)) == number - 1)  # type: ignore[misc]
            declined = node.list_received(Declined)[-1]
            assert isinstance(declined, Declined)
            assert declined.assignment == number
            assert reason in declined.reason
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
        await node.wait(lambda: node.sockets[-1].closed)  # what the page had drawn before is told first
        before = len(node.received)
        await asyncio.sleep(1)
        assert len(node.received) == before, "the page worked on for a node that lies about whom it pays"


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


RECORD_PACE = """
globalThis.paces = [];
const postMessage = Worker.prototype.postMessage;
Worker.prototype.postMessage = function (message, ...more) {
  if (message.kind === "pace") paces.push(message.pace);
  return postMessage.call(this, message, ...more);
};
"""
FAKE_BATTERY = """
const listeners = [];
globalThis.battery = { charging: true, addEventListener: (_, look) => listeners.push(look) };
navigator.getBattery = async () => battery;
globalThis.plug = (charging) => { battery.charging = charging; listeners.forEach((look) => look()); };
"""


async def test_a_page_rests_on_battery_unless_it_is_told_to_work(tmp_path: Path) -> None:
    async with open_page(tmp_path, script=FAKE_BATTERY) as (node, page):
        await begin(page)
        await node.wait(lambda: bool(node.shares))
        await page.run("plug(false)")
        await page.wait(f"{STATE} === 'the machine is on battery'")
        await node.wait(lambda: node.sockets[0].closed)
        hellos = len(node.list_received(Hello))
        await page.run("plug(true)")
        await node.wait(lambda: len(node.list_received(Hello)) > hellos)
        await page.run("plug(false)")
        await page.wait(f"{STATE} === 'the machine is on battery'")
        before = len(node.shares)
        await click(page, "on-battery")
        await node.wait(lambda: len(node.shares) > before)
        await click(page, "start")
        await page.wait(f"{STATE} === 'stopped'")
        await page.run("plug(true)")
        assert await page.run(STATE) == "stopped", "a page that was stopped began again by itself"
        assert node.problems == []


async def test_a_page_halves_itself_in_the_background(tmp_path: Path) -> None:
    async with open_page(tmp_path, script=RECORD_PACE) as (node, page):
        await begin(page)
        await node.wait(lambda: len(node.shares) > 3)
        for is_hidden in (True, False):
            await page.run(
                f"Object.defineProperty(document, 'hidden', {{ value: {str(is_hidden).lower()}, configurable: true }});"
                "document.dispatchEvent(new Event('visibilitychange'))"
            )
        assert await page.run("paces") == [1, 0.5, 1]
        assert node.problems == []


SLOW_TIMERS = """
const setOwn = setInterval;
globalThis.setInterval = (call, ms) => setOwn(call, Math.max(ms, 60000));
"""


async def test_a_page_whose_timers_are_throttled_tells_its_shares_all_the_same(tmp_path: Path) -> None:
    """Chromium runs the timers of a page once a minute after five minutes in the background."""
    async with open_page(tmp_path, script=SLOW_TIMERS) as (node, page):
        await begin(page)
        await node.wait(lambda: len(node.list_received(Result)) > 5)
        assert len(node.shares) > 5
        assert node.problems == []


LIE = """
(async () => {
  const { Connection } = await import("/explorer/work/connection.js");
  const { send } = Connection.prototype;
  Connection.prototype.send = function (bytes) {
    const isResult = bytes[1] === 3 && bytes.length > 40;
    if (isResult) bytes[bytes.length - 2] ^= 1; // the last byte of the last share's digest
    return send.call(this, bytes);
  };
})()
"""


async def test_the_worker_service_counts_a_page_s_shares_and_its_block_and_refuses_a_lying_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert CHROMIUM is not None
    monkeypatch.setattr("inos.workers.server.share_counter.SHARES_BURST", 1_000_000.0)  # One target for every speed.
    async with open_lab(has_pool=True) as lab, open_browser(CHROMIUM, tmp_path / "browser") as page:
        lab.pool.target = Target(U256_MAX // 4000)
        url = f"{lab.url.removesuffix('/work')}/explorer/work/"
        await page.open(url)
        await page.wait(f"{STATE} === 'ready'")
        await begin(page)
        await lab.until(lambda: len(lab.pool.shares) > 5)
        assert {(info.address, info.kind) for info, _ in lab.pool.shares} == {(PAYEE, WorkerKind.PAGE)}
        await page.wait("Number(document.getElementById('shares').textContent) > 5", 60)
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
        await page.wait(f"{STATE}.startsWith('the node refused')", 60)
        assert lab.service.get_status().errors == {"wrong-digest": 1}
        assert len(lab.pool.shares) <= counted + 64, "shares of a wrong Result were counted"
        assert await page.run("document.getElementById('start').textContent") == "Start"
        assert page.errors == []
