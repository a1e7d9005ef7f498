"""Writes following.json beside itself: parts of a state with their proofs, and steps of finality.

    python tests/vectors/make_following.py

The format is described in following.md here.
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from blake3 import blake3

HERE: Final = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from inos.chain.snapshot.ranges import build_range, read_range  # noqa: E402
from inos.chain.state_tree import TreeUpdate  # noqa: E402
from inos.consensus.finality.trust import Trust, begin_trust, follow_step  # noqa: E402
from inos.consensus.records import StateKey  # noqa: E402
from inos.consensus.stateranges import ROOT, Halves, Place, StateRange  # noqa: E402
from inos.primitives.blocks import compute_block_id  # noqa: E402
from inos.primitives.bls import get_bls  # noqa: E402
from inos.primitives.codec import encode  # noqa: E402
from inos.primitives.units import StateRoot  # noqa: E402
from support.chain_maker import EASY, feed  # noqa: E402
from support.final_chain import make_voted_branch  # noqa: E402

FILE: Final = HERE / "following.json"
RECORDS: Final = 40
LARGE: Final = 12_000
"""Bytes of each value: two dozen values do not fit into one answer."""


def make_records() -> dict[StateKey, bytes]:
    """Return records; record n has the key 0x01 and 20 bytes, and a value of `LARGE` bytes, both from BLAKE3."""
    return {
        StateKey(b"\x01" + blake3(f"key {n}".encode()).digest(20)): blake3(f"value {n}".encode()).digest(LARGE)
        for n in range(RECORDS)
    }


def make_ranges() -> dict[str, Any]:
    records = make_records()
    tree = TreeUpdate(lambda key: None, records)
    found: list[dict[str, Any]] = []
    waiting = [ROOT]
    while waiting:
        place = waiting.pop(0)
        part = read_range(tree.nodes.get, records.get, place)
        if part is None:
            raise LookupError(f"nothing at depth {place.depth}")
        found.append(show_range(place, part))
        if isinstance(part.content, Halves):
            sides = (part.content.left, part.content.right)
            waiting += [place.get_half(side) for side in (0, 1) if any(sides[side])]
    return {"records": RECORDS, "value_bytes": LARGE, "root": tree.root.hex(), "places": found}


def show_range(place: Place, part: StateRange) -> dict[str, Any]:
    """Return one answer with its records by their keys alone."""
    shown: dict[str, Any] = {
        "depth": place.depth,
        "path": place.path.hex(),
        "siblings": [sibling.hex() for sibling in part.siblings],
        "blake3": blake3(encode(part)).hexdigest(),
    }
    if isinstance(part.content, Halves):
        return shown | {"halves": [part.content.left.hex(), part.content.right.hex()]}
    node, _ = build_range(place, part.content)
    return shown | {"keys": [key.hex() for key, _ in part.content.records], "node": node.hex()}


def make_steps() -> dict[str, Any]:
    branch = make_voted_branch(5)
    header = branch.genesis.header
    trust = begin_trust(compute_block_id(header), StateRoot(header.state_root))
    with tempfile.TemporaryDirectory() as folder:
        ledger = branch.open_ledger(Path(folder) / "chain")
        feed(ledger, branch.blocks)
        steps = ledger.view.list_steps(1, 100)
        ledger.close()
    shown = []
    begin = show_trust(trust)
    for step in steps:
        trust = follow_step(EASY, trust, step, get_bls(), lambda block: True)
        shown.append({"step": encode(step).hex(), "trust": show_trust(trust)})
    return {"chain_id": EASY.chain_id, "epoch_blocks": EASY.epoch_blocks, "begin": begin, "steps": shown}


def show_trust(trust: Trust) -> dict[str, Any]:
    return {
        "justified": [trust.justified.epoch, trust.justified.id.hex()],
        "finalized": [trust.finalized.epoch, trust.finalized.id.hex()],
        "root": trust.root.hex(),
    }


def make() -> dict[str, Any]:
    return {"ranges": make_ranges(), "following": make_steps()}


if __name__ == "__main__":
    FILE.write_text(json.dumps(make(), indent=1) + "\n", encoding="utf-8")
