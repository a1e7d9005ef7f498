"""The code agrees with finality.json, and so does a second, independent reading of the file."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[2] / "vectors"


@pytest.fixture(scope="module")
def vectors() -> Any:
    return json.loads((FOLDER / "finality.json").read_text("utf-8"))


def test_the_file_is_what_the_code_makes(vectors: Any) -> None:
    spec = importlib.util.spec_from_file_location("make_finality", FOLDER / "make_finality.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.make() == vectors


def test_changes_take_the_room_in_turn(vectors: Any) -> None:
    for case in vectors["changes"]:
        room, weights = case["room"], {}
        for voter in sorted(case["voters"], key=lambda each: (each["changed_at"], each["address"])):
            before = voter["weight_before"] or 0
            most = before + voter["mined"] - voter["mined_before"] if voter["weight_before"] is not None else 0
            weight = min(max(voter["wanted"], before), most)
            taken = max(-room, min(room, voter["wanted"] - weight))
            room -= abs(taken)
            weights[voter["address"]] = weight + taken
        assert [weights[voter["address"]] for voter in case["voters"]] == case["weights"]


def test_a_quorum_is_two_thirds_of_the_committee_and_half_of_recent_mining(vectors: Any) -> None:
    for case in vectors["quorums"]:
        whole, mined = sum(case["weights"]), case["mined"]
        least = next(w for w in range(10**6) if 6 * w > max(4 * whole, 3 * mined))
        assert (case["quorum"], case["can_be_reached"]) == (least, whole >= least)


def test_pots_are_paid_by_weight_and_nothing_is_lost(vectors: Any) -> None:
    assert all(part == subsidy // 64 for subsidy, part in vectors["pot_parts"])
    for case in vectors["pots"]:
        shares = [case["pot"] * case["weights"][place] // sum(case["weights"]) for place in case["signed"]]
        assert case["paid"] == [share - share // 8 for share in shares]
        assert sum(case["paid"]) + case["carrier"] + case["burned"] == case["pot"]
