"""`inos top`: its figures, its layout, and the command with a node that mines."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from inos.consensus.prices import WindowShare
from inos.top.board import Board, compute_gops
from inos.top.feed import Feed
from inos.top.view import _render_workers, render, render_line
from inos.wallet.keys import make_key
from support.commands import start_inos
from support.fake_node import WORKER, FakeNode
from support.rpc_served import make_fake_node, serve

ALICE = make_key(bytes(31) + b"\x01")


def make_head(height: int, **changes: Any) -> dict[str, Any]:
    block = {
        "id": f"{height:064x}",
        "height": height,
        "spacing_ms": 2000,
        "weight": "500",
        "tickets_settled": 100,
        "settled_burn": "5",
        "subsidy": "100",
        "difficulty": "500",
        "beneficiary": "dinos1abc",
        "transactions": 1,
        "product": {"m": 16, "n": 32, "k": 64},
    }
    return {"event": "connected", "block": block | changes}


def test_rates_come_from_the_blocks_of_the_window() -> None:
    board = Board("http://node")
    for height in range(1, 12):
        board.take_head(make_head(height))
    assert (board.height, board.spacing_s, board.chain_rate, board.share) == (
        11,
        2.0,
        250.0,
        WindowShare(200_000, 50_000),
    )
    assert compute_gops(1e6) == pytest.approx(524.288)
    board.take_head({"event": "disconnected", "block": make_head(11)["block"]})
    assert board.height == 10
    empty = Board("http://node")
    assert (empty.chain_rate, empty.share, empty.spacing_s, empty.tip, empty.height) == (None,) * 5


def test_what_is_not_known_yet_is_not_shown_as_zero() -> None:
    empty = Board("http://node")
    shown = empty.to_json()
    figures = set(shown) - {"url", "network", "jobs_seen"}
    assert {name: shown[name] for name in figures} == dict.fromkeys(figures)
    console = Console(width=80, record=True)
    console.print(render(empty))
    text = console.export_text()
    assert "0 tickets/s" not in text
    assert "0.0%" not in text
    assert "height -" in text
    assert "peers -" in text
    assert "balance" not in render_line(empty)
    assert "miner" not in render_line(empty)


def test_a_node_whose_token_was_not_given_is_not_said_to_mine_nothing() -> None:
    board = Board("http://node", is_whole=True)
    board.take_head(make_head(3))
    assert (board.to_json()["miner_tickets_per_s"], board.to_json()["earnings"]) == (None, None)
    assert "miner" not in render_line(board)
    board.problem = "the node is gone"
    assert render_line(board) == "no connection: the node is gone"


def test_workers_are_shown_by_kind_with_what_they_did_wrong() -> None:
    board = Board("http://node")
    assert _render_workers(board) == []
    group = {"workers": 1, "tickets_per_second": 20_100.4, "pieces": 0, "late": 0}
    groups = [group | {"kind": kind} for kind in ("own", "page")]
    groups.append(group | {"kind": "machine", "workers": 2, "pieces": 7, "late": 1})
    board.workers = {"groups": groups, "errors": {"wrong-rows": 1, "silent": 3}}
    assert [line.plain.split() for line in _render_workers(board)] == [
        ["1", "page", "20,100", "tickets/s", "pieces", "0", "late", "0"],
        ["2", "machines", "20,100", "tickets/s", "pieces", "7", "late", "1"],
        ["workers", "refused", "wrong-rows", "1,", "silent", "3"],
    ]


def test_earnings_count_rewards_and_results_only() -> None:
    board = Board("http://node")
    for reason, amount in (
        ("subsidy", "48"),
        ("fees_collected", "2"),
        ("job_paid", "7"),
        ("claim_bond_locked", "-3"),
        ("claim_bond_returned", "3"),
    ):
        board.take_transaction({"event": "included", "entry": {"movements": [{"reason": reason, "balance": amount}]}})
    board.take_transaction({"event": "pending", "entry": None})
    board.take_transaction({"event": "undone", "entry": None})
    assert (board.earnings.rewards, board.earnings.jobs) == (50, 7)


def test_a_frame_fits_a_small_terminal() -> None:
    board = Board("http://127.0.0.1:8645", network="devnet")
    for height in range(1, 40):
        board.take_head(make_head(height))
    console = Console(width=80, record=True)
    console.print(render(board))
    lines = console.export_text().rstrip().splitlines()
    assert len(lines) <= 24
    assert all(len(line) <= 80 for line in lines)
    assert "height 39" in lines[1]
    phone = Console(width=40, record=True)
    phone.print(render(board))
    narrow = phone.export_text()
    assert max(map(len, narrow.splitlines())) <= 40
    assert "…" not in narrow
    assert " 39 " in narrow
    assert "GOP/s" in render_line(board)


@pytest.fixture
async def url(tmp_path: Path) -> AsyncIterator[str]:
    node = make_fake_node(10**12, ALICE.address, WORKER.address)
    for _ in range(3):
        node.mine()
    async with serve(node, tmp_path) as server:
        yield server.url


async def test_the_command_prints_one_object(url: str, tmp_path: Path) -> None:
    process = await start_inos("top", "--rpc", url, "--data-dir", str(tmp_path), "--json")
    out, problems = await process.communicate()
    assert process.returncode == 0, problems.decode()
    shown = json.loads(out)
    assert (shown["height"], shown["peers"], shown["network"]) == (3, 0, "devnet")
    assert shown["miner"]["tickets_per_second"] == 12.346
    assert shown["miner_gop_per_s"] == pytest.approx(12.346 * 2**19 / 1e9, abs=1e-6)
    assert int(shown["earnings"]["balance"]) > 0


async def test_without_a_token_the_miner_is_left_out_and_without_a_node_it_says_so(url: str) -> None:
    process = await start_inos("top", "--rpc", url, "--once")
    out, _ = await process.communicate()
    assert (process.returncode, "--data-dir or --token-file to see" in out.decode()) == (0, True)
    process = await start_inos("top", "--rpc", "http://127.0.0.1:1", "--json")
    out, _ = await process.communicate()
    assert (process.returncode, json.loads(out)["error"]["code"]) == (1, "node-unreachable")


async def test_piped_lines_begin_when_everything_is_known(url: str, tmp_path: Path) -> None:
    process = await start_inos("top", "--rpc", url, "--data-dir", str(tmp_path))
    assert process.stdout is not None
    first = (await process.stdout.readline()).decode()
    process.terminate()
    await process.communicate()
    assert first.startswith("height 3  final ")
    assert "peers 0" in first
    assert "miner 12 tickets/s" in first
    assert "balance 0 credits" not in first


async def test_it_goes_on_where_it_was_after_the_node_comes_back(tmp_path: Path) -> None:
    node: FakeNode = make_fake_node(10**12, ALICE.address, WORKER.address)
    node.mine()
    changed = asyncio.Event()
    async with serve(node, tmp_path) as server:
        board = Board(server.url)
        feed = asyncio.ensure_future(Feed(board, None, changed.set).run())
        await _wait(changed, lambda: board.is_whole)
        port = server.port
    await _wait(changed, lambda: board.problem)
    for _ in range(3):
        node.mine()
    async with serve(node, tmp_path, port=port):
        await _wait(changed, lambda: board.height == 4 and not board.problem)
        assert [block["height"] for block in board.blocks] == [1, 2, 3, 4]
        feed.cancel()
        await asyncio.gather(feed, return_exceptions=True)


async def _wait(changed: asyncio.Event, is_so: Callable[[], Any]) -> None:
    async with asyncio.timeout(60):
        while not is_so():
            await changed.wait()
            changed.clear()
