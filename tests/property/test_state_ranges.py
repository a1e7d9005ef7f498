"""Ranges of any state can be read, checked, and built into the same nodes again; no other range is accepted."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inos.chain.snapshot import ranges
from inos.chain.snapshot.ranges import build_range, read_range
from inos.chain.state_tree import TreeUpdate
from inos.consensus.records import StateKey
from inos.consensus.stateranges import ROOT, Halves, Records, StateRange, check_range, compute_records
from inos.consensus.statetree import compute_state_root
from inos.primitives.errors import RuleViolation
from inos.primitives.units import StateRoot

KEYS = st.binary(min_size=1, max_size=4).map(StateKey)
STATES = st.dictionaries(KEYS, st.binary(min_size=1, max_size=60), max_size=60)


@pytest.fixture(autouse=True)
def small_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranges, "MAX_RANGE_BYTES", 200)


@given(STATES)
def test_all_ranges_together_are_the_state(records: dict[StateKey, bytes]) -> None:
    tree = TreeUpdate(lambda key: None, records)
    root = compute_state_root(records)
    assert tree.root == root
    found: dict[bytes, bytes] = {}
    nodes: dict[bytes, bytes | None] = {}
    waiting = [ROOT]
    while waiting:
        place = waiting.pop()
        part = read_range(tree.nodes.get, records.get, place)
        assert part is not None
        check_range(root, place, part)
        if isinstance(part.content, Halves):
            sides = (part.content.left, part.content.right)
            waiting += [place.get_half(side) for side in (0, 1) if any(sides[side])]
            continue
        node, built = build_range(place, part.content)
        assert node == compute_records(place, part.content)
        nodes |= built
        found |= dict(part.content.records)
    assert found == records
    assert all(tree.nodes[key] == value for key, value in nodes.items() if value is not None)


@given(STATES.filter(lambda records: len(records) > 2), st.randoms(use_true_random=False))
def test_no_other_range_is_accepted(records: dict[StateKey, bytes], rng: random.Random) -> None:
    tree = TreeUpdate(lambda key: None, records)
    root = compute_state_root(records)
    place = ROOT
    while isinstance((part := read_range(tree.nodes.get, records.get, place)).content, Halves):  # type: ignore[union-attr]
        sides = (part.content.left, part.content.right)  # type: ignore[union-attr]
        place = place.get_half(rng.choice([side for side in (0, 1) if any(sides[side])]))
    assert part is not None
    assert isinstance(part.content, Records)
    held = list(part.content.records)
    spoiled = list(held)
    number = rng.randrange(len(held))
    match rng.randrange(4):
        case 0:
            spoiled[number] = (held[number][0], held[number][1] + b"\0")
        case 1:
            del spoiled[number]
        case 2:
            spoiled.insert(number, (b"\xff" + rng.randbytes(9), b"more"))
        case 3:
            spoiled[number] = (held[number][0] + b"\0", held[number][1])
    with pytest.raises(RuleViolation):
        check_range(root, place, StateRange(part.siblings, Records(tuple(spoiled))))
    if part.siblings:
        with pytest.raises(RuleViolation):
            check_range(root, place, StateRange(part.siblings[1:], part.content))
    with pytest.raises(RuleViolation):
        check_range(StateRoot(bytes(32)), place, part)
