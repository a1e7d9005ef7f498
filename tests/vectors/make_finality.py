"""Write finality.json beside this file: weights, changes of committees, quorums and pots.

    python tests/vectors/make_finality.py

The format is described in finality.md here.
"""

import json
from pathlib import Path
from typing import Any, Final

from inos.consensus.finality.committee import Candidate, limit_changes
from inos.consensus.finality.pots import CARRIER_PART, compute_pot_part
from inos.consensus.finality.quorum import can_reach_quorum, compute_quorum
from inos.consensus.records import Committee, Member, Voter
from inos.primitives.units import Address, Nano

FILE: Final = Path(__file__).parent / "finality.json"
Row = tuple[int, int, int, int, bool, int | None, int]
"""Number, mined figure, wanted weight, height of the last change, whether it leaves, weight before (None: no member),
mined before.
"""

CASES: Final[list[tuple[int, list[Row]]]] = [
    (1000, [(1, 20_700, 20_700, 1, False, 20_000, 20_000), (2, 2500, 2500, 2, False, None, 0)]),
    (1000, [(1, 800, 800, 30, False, None, 0), (2, 800, 800, 20, False, None, 0), (3, 800, 800, 20, False, None, 0)]),
    (1000, [(1, 900, 0, 40, True, 700, 700), (2, 5000, 5000, 41, False, None, 0)]),
    (1000, [(1, 20_300, 20_300, 50, False, 1000, 20_000)]),
    (1000, [(1, 10_000, 1000, 1, False, 500, 10_000), (2, 500, 500, 1, False, 500, 500)]),
    (100, [(1, 900, 300, 9, False, 900, 900)]),
    (0, [(1, 900, 900, 9, False, 500, 700), (2, 50, 50, 1, False, None, 0)]),
]
COMMITTEES: Final = [([], 0), ([6, 2, 1], 9), ([6, 2, 1], 12), ([6, 2, 1], 17), ([6, 2, 1], 18), ([5, 5, 5], 100)]
POTS: Final = [(6250, [6, 2, 1], [0, 1, 2]), (6250, [6, 2, 1], [0, 2]), (100, [3, 3, 3], [0, 1, 2])]


def make_changes(room: int, rows: list[Row]) -> dict[str, Any]:
    candidates, kept = [], {}
    for number, mined, wanted, changed_at, is_leaving, before, mined_before in rows:
        key, address = bytes([number]) * 48, Address(bytes([number]) * 20)
        candidates.append(Candidate(address, Voter(key, 1, changed_at, is_leaving), Nano(mined), wanted))
        if before is not None:
            kept[key] = Member(address, key, before, mined_before)
    weights = limit_changes(candidates, kept, room)
    names = ("address", "mined", "wanted", "changed_at", "is_leaving", "weight_before", "mined_before")
    voters = [dict(zip(names, (f"{row[0]:02x}" * 20, *row[1:]), strict=True)) for row in rows]
    return {"room": room, "voters": voters, "weights": [weights[each.address] for each in candidates]}


def make_quorum(weights: list[int], mined: int) -> dict[str, Any]:
    committee = make_committee(weights, mined)
    return {
        "weights": weights,
        "mined": mined,
        "quorum": compute_quorum(committee),
        "can_be_reached": can_reach_quorum(committee),
    }


def make_committee(weights: list[int], mined: int) -> Committee:
    members = (Member(bytes([n]) * 20, bytes([n]) * 48, weight, weight) for n, weight in enumerate(weights))
    return Committee(tuple(members), mined)


def make_pot(pot: int, weights: list[int], signed: list[int]) -> dict[str, Any]:
    shares = [pot * weights[place] // sum(weights) for place in signed]
    return {
        "pot": pot,
        "weights": weights,
        "signed": signed,
        "paid": [share - share // CARRIER_PART for share in shares],
        "carrier": sum(share // CARRIER_PART for share in shares),
        "burned": pot - sum(shares),
    }


def make() -> dict[str, Any]:
    return {
        "changes": [make_changes(room, rows) for room, rows in CASES],
        "quorums": [make_quorum(weights, mined) for weights, mined in COMMITTEES],
        "pot_parts": [[subsidy, compute_pot_part(Nano(subsidy))] for subsidy in (0, 63, 64, 50_000, 50 * 10**9)],
        "pots": [make_pot(*case) for case in POTS],
    }


if __name__ == "__main__":
    FILE.write_text(json.dumps(make(), indent=1) + "\n", encoding="utf-8")
