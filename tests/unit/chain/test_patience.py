"""Sync by headers: which bodies are fetched, and how long a branch without proven work is preferred."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from inos.chain.entry import Entry, compute_skip_height, find_fork, get_ancestor, iterate_back
from inos.chain.ledger import Ledger
from inos.primitives.blocks import compute_block_id
from inos.primitives.errors import NotYet, RuleViolation
from inos.primitives.units import BlockId, StateRoot, TimeMs, Weight
from support.chain_maker import NOW, Branch, MadeBlock, feed

STALL_MS, FORGET_MS = 20_000, 600_000


@pytest.fixture
def branch() -> Branch:
    return Branch()


@pytest.fixture
def ledger(branch: Branch, tmp_path: Path) -> Iterator[Ledger]:
    opened = branch.open_ledger(tmp_path)
    yield opened
    opened.close()


def add_headers(ledger: Ledger, blocks: list[MadeBlock], now: int = NOW) -> None:
    for made in blocks:
        ledger.add_header(made.block.header, TimeMs(now))


def list_ids(blocks: list[MadeBlock]) -> list[BlockId]:
    return [made.id for made in blocks]


def test_missing_blocks_lowest_first(branch: Branch, ledger: Ledger) -> None:
    blocks = branch.grow_by(12)
    add_headers(ledger, blocks)
    assert ledger.view.best_header.id == branch.tip_id
    assert ledger.view.tip.header.height == 0
    assert ledger.view.get_missing_blocks(5) == list_ids(blocks[:5])
    assert ledger.view.get_missing_blocks(100) == list_ids(blocks)
    assert ledger.view.get_missing_blocks(0) == []
    for made in (blocks[0], blocks[2], blocks[3], blocks[11]):
        ledger.add_block(made.block, made.witness, NOW)
    assert ledger.view.get_missing_blocks(3) == list_ids([blocks[1], blocks[4], blocks[5]])
    assert ledger.view.get_missing_blocks(100) == list_ids([blocks[1], *blocks[4:11]])
    feed(ledger, blocks)
    assert ledger.view.get_missing_blocks(100) == []
    assert ledger.view.tip.id == branch.tip_id


def test_branch_without_bodies_gives_way_and_comes_back(branch: Branch, ledger: Ledger) -> None:
    """Headers cost nothing, so the branch whose bodies arrive is best until the other one proves itself."""
    claimed = branch.fork()
    feed(ledger, branch.grow_by(2))
    blocks = claimed.grow_by(9, nonce=4)
    add_headers(ledger, blocks)
    assert ledger.view.best_header.id == claimed.tip_id
    assert ledger.view.get_missing_blocks(3) == list_ids(blocks[:3])
    made = branch.grow()
    ledger.add_block(made.block, made.witness, TimeMs(NOW + STALL_MS - 1))
    assert ledger.view.best_header.id == claimed.tip_id
    more = branch.grow_by(2)
    add_headers(ledger, more, NOW + STALL_MS)
    assert ledger.view.best_header.id == branch.tip_id
    assert ledger.view.get_locator()[0] == branch.tip_id
    # Known bodies come before claimed ones, so a claim never makes the sync worse.
    assert ledger.view.get_missing_blocks(4) == list_ids([*more, *blocks[:2]])
    # Longer claims change nothing.
    longer = claimed.grow_by(5, nonce=4)
    add_headers(ledger, longer, NOW + STALL_MS + 1)
    assert ledger.view.best_header.id == branch.tip_id
    # The first body proves that the branch has work, so the branch counts again.
    ledger.add_block(blocks[0].block, blocks[0].witness, TimeMs(NOW + STALL_MS + 2))
    assert ledger.view.best_header.id == claimed.tip_id
    assert ledger.view.get_missing_blocks(3) == list_ids(blocks[1:4])
    feed(ledger, [*blocks, *longer])
    assert ledger.view.tip.id == claimed.tip_id


def test_each_body_renews_the_patience(branch: Branch, ledger: Ledger) -> None:
    blocks = branch.grow_by(6)
    add_headers(ledger, blocks)
    now = int(NOW)
    for made in blocks[:5]:
        now += STALL_MS - 1
        ledger.add_block(made.block, made.witness, TimeMs(now))
        assert ledger.view.best_header.id == branch.tip_id


def test_claims_are_forgotten_in_time(branch: Branch, ledger: Ledger, tmp_path: Path) -> None:
    claimed, proven = branch.fork(), branch.fork()
    feed(ledger, branch.grow_by(2))
    blocks = claimed.grow_by(5, nonce=4)
    kept = proven.grow_by(4, nonce=6)
    add_headers(ledger, [*blocks, *kept])
    # A body further up the branch cost work.
    ledger.add_block(kept[2].block, kept[2].witness, NOW)
    stalled = NOW + STALL_MS
    ledger.add_block(branch.grow().block, branch.blocks[-1].witness, TimeMs(stalled))
    ledger.add_block(branch.grow().block, branch.blocks[-1].witness, TimeMs(stalled + FORGET_MS - 1))
    assert ledger.view.get_status(blocks[0].id) == "header"
    ledger.add_block(branch.grow().block, branch.blocks[-1].witness, TimeMs(stalled + FORGET_MS))
    assert [ledger.view.get_status(made.id) for made in blocks] == ["unknown"] * 5
    assert [ledger.view.get_status(made.id) for made in kept] == ["header", "header", "stored", "header"]
    assert ledger.view.best_header.id == branch.tip_id
    ledger.close()
    ledger = branch.open_ledger(tmp_path)
    assert [ledger.view.get_status(made.id) for made in blocks] == ["unknown"] * 5
    feed(ledger, [*blocks, claimed.grow(nonce=4)])
    assert ledger.view.tip.id == claimed.tip_id
    ledger.close()


def test_claims_fill_a_bounded_room_and_the_oldest_give_way(
    branch: Branch, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inos.chain.ledger.MAX_UNPROVEN", 8)
    first, second = branch.fork(), branch.fork()
    feed(ledger, branch.grow_by(2))
    old, young = first.grow_by(3, nonce=4), second.grow_by(5, nonce=5)
    add_headers(ledger, [*old, *young])
    assert ledger.view.count_unproven() == 8
    # The next block's header is stored even if there are many claims; the one with the longest wait is dropped.
    add_headers(ledger, [branch.grow()])
    assert [ledger.view.get_status(made.id) for made in old] == ["unknown"] * 3
    assert [ledger.view.get_status(made.id) for made in young] == ["header"] * 5
    assert ledger.view.count_unproven() == 6
    assert ledger.view.best_header.id == young[-1].id


def test_the_best_headers_may_give_way_too(branch: Branch, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inos.chain.ledger.MAX_UNPROVEN", 8)
    heavy = branch.fork().grow_by(8, nonce=4)
    feed(ledger, branch.grow_by(2))
    add_headers(ledger, heavy)
    ledger.add_header(branch.grow().block.header, NOW)
    assert ledger.view.best_header.id == branch.tip_id
    assert ledger.view.get_missing_blocks(4) == [branch.tip_id]


def test_what_stalls_gives_way_first_and_bodies_are_kept(
    branch: Branch, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inos.chain.ledger.MAX_UNPROVEN", 8)
    worked, idle = branch.fork().grow_by(5, nonce=4), branch.fork().grow_by(4, nonce=5)
    feed(ledger, branch.grow_by(2))
    add_headers(ledger, worked)
    ledger.add_block(worked[1].block, worked[1].witness, NOW)
    add_headers(ledger, idle)
    add_headers(ledger, branch.fork().grow_by(3, nonce=6), NOW + STALL_MS)
    assert [ledger.view.get_status(made.id) for made in idle] == ["unknown"] * 4
    assert [ledger.view.get_status(made.id) for made in worked] == ["header", "stored", *["header"] * 3]


def test_where_all_claims_cost_work_no_more_are_taken(
    branch: Branch, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inos.chain.ledger.MAX_UNPROVEN", 4)
    worked = branch.fork().grow_by(5, nonce=4)
    add_headers(ledger, worked[:2])
    ledger.add_block(worked[1].block, worked[1].witness, NOW)
    add_headers(ledger, worked[2:])
    with pytest.raises(NotYet) as error:
        ledger.add_header(branch.grow().block.header, NOW)
    assert error.value.code == "too-many-headers"
    assert ledger.view.get_status(branch.tip_id) == "unknown"
    ledger.add_block(worked[0].block, worked[0].witness, NOW)
    assert ledger.view.count_unproven() == 3


def test_headers_of_an_invalid_block_take_no_room(
    branch: Branch, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inos.chain.ledger.MAX_UNPROVEN", 4)
    bad, twin = branch.draft(nonce=4, state_root=StateRoot(bytes(32))), branch.fork()
    headers = [bad.block.header]
    for made in twin.grow_by(4, nonce=4)[1:]:
        headers.append(replace(made.block.header, parent=compute_block_id(headers[-1])))
    for header in headers:
        ledger.add_header(header, NOW)
    with pytest.raises(RuleViolation):
        ledger.add_block(bad.block, bad.witness, NOW)
    add_headers(ledger, branch.grow_by(4))
    assert ledger.view.best_header.id == branch.tip_id


def test_patience_begins_anew_after_a_restart(branch: Branch, ledger: Ledger, tmp_path: Path) -> None:
    blocks = branch.grow_by(3)
    add_headers(ledger, blocks)
    ledger.close()
    ledger = branch.open_ledger(tmp_path)
    assert ledger.view.best_header.id == branch.tip_id
    later = NOW + 10**8
    add_headers(ledger, blocks[:1], later)
    add_headers(ledger, blocks[:1], later + STALL_MS - 1)
    assert ledger.view.best_header.id == branch.tip_id
    add_headers(ledger, blocks[:1], later + STALL_MS)
    assert ledger.view.best_header.header.height == 0
    assert ledger.view.get_missing_blocks(9) == list_ids(blocks)
    feed(ledger, blocks)
    assert ledger.view.tip.id == branch.tip_id
    ledger.close()


def test_clock_that_goes_back_stalls_nothing(branch: Branch, ledger: Ledger) -> None:
    blocks = branch.grow_by(3)
    add_headers(ledger, blocks[:2])
    add_headers(ledger, blocks[2:], NOW - 10**7)
    add_headers(ledger, blocks[2:], NOW + STALL_MS - 1)
    assert ledger.view.best_header.id == branch.tip_id


def test_ancestors_by_skipping() -> None:
    header = Branch().headers[0]
    entries: list[Entry] = []
    for height in range(500):
        one = type(header)(**{f: getattr(header, f) for f in header.__struct_fields__} | {"height": height})
        parent = entries[-1] if entries else None
        entries.append(Entry(BlockId(height.to_bytes(32, "big")), one, parent, Weight(height), height))
    for height in (0, 1, 2, 255, 256, 257, 498, 499):
        for below in range(height + 1):
            assert get_ancestor(entries[height], below) is entries[below]
        assert compute_skip_height(height) < max(1, height)
    assert [entry.header.height for entry in iterate_back(entries[3])] == [3, 2, 1, 0]
    assert find_fork(entries[499], entries[17]) is entries[17]
    side = Entry(BlockId(b"\x01" * 32), entries[18].header, entries[17], Weight(18), 501)
    assert find_fork(entries[499], side) is entries[17]
