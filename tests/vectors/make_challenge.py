"""Writes challenge.json beside itself: proofs of right and wrong tiles, and what a result and its challenge do to a
state.

    python tests/vectors/make_challenge.py

The format is described in challenge.md here.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from inos.consensus.execution import Execution
from inos.consensus.params import Params
from inos.consensus.records import (
    MARKET_KEY,
    Account,
    Claim,
    Job,
    JobState,
    Kind,
    Market,
    ProductWork,
    Queued,
    StateKey,
    account_key,
    claim_key,
    job_key,
    queue_key,
)
from inos.primitives.bls import get_bls
from inos.primitives.codec import encode
from inos.primitives.matrices import MatrixRef, StripRow
from inos.primitives.signatures import compute_address, compute_public_key
from inos.primitives.transactions import Challenge, JobMode, Payload, SubmitResult, Transaction
from inos.primitives.units import Address, BlockId, DurationMs, Height, JobId, Nano, Target
from inos.work import matrix_ref
from inos.work.fraud import is_tile_wrong, open_tile
from inos.work.strips import InvalidMatrix, StripTree, compute_leaf_row, compute_strip

FILE: Final = Path(__file__).with_name("challenge.json")
WORKER, WATCHER = (bytes(31) + bytes([n]) for n in (1, 2))
POSTER: Final = Address(b"\x99" * 20)
JOB: Final = JobId(b"\x44" * 32)
CHAIN_ID: Final = 7
WINDOW: Final = 3
PARAMS: Final = Params(
    network="vectors",
    chain_id=CHAIN_ID,
    spacing_ms=DurationMs(30_000),
    asert_half_life_ms=DurationMs(3_600_000),
    genesis_target=Target(2**256 // 600 - 1),
    max_target=Target(2**252 - 1),
    max_future_ms=DurationMs(15_000),
    median_time_blocks=11,
    max_block_bytes=4_194_304,
    subsidy_initial=Nano(50_000_000_000),
    subsidy_decay_interval=10_000,
    subsidy_tail=Nano(1_000_000_000),
    burn_per_mille=125,
    byte_burn_per_mille=125,
    job_fee=Nano(1_000_000),
    account_fee=Nano(100_000),
    max_checked_bytes=33_554_432,
    max_checked_block_bytes=67_108_864,
    max_optimistic_bytes=2_147_483_648,
    max_block_cost_us=500_000,
    min_bond=Nano(100_000_000),
    min_claim_window=5,
    max_claim_window=2000,
    max_job_lifetime=50_000,
    base_open_claims=4,
    reputation_per_claim=Nano(10_000_000_000),
    max_open_claims=64,
    reputation_half_life=5000,
    job_retention=5000,
    result_depth=240,
    challenge_window=WINDOW,
    jury_size=7,
    jury_window=30,
    jury_mib_fee=Nano(10_000),
    epoch_blocks=8,
    finality_start=8,
    bond_leverage=1000,
    max_voters=512,
    min_voter_bond=Nano(1_000_000_000),
    unbonding_epochs=36,
)
CASES: Final = (
    # name, m, n, k, what is added to Y at (row, column), tile
    ("one strip", 16, 16, 1024, (3, 5, 1), (0, 0)),
    ("ragged", 40, 300, 1100, (37, 290, -1), (2, 18)),
    ("ragged, the tile beside", 40, 300, 1100, (37, 290, -1), (2, 17)),
    ("ragged, right", 40, 300, 1100, None, (2, 18)),
    ("wide", 33, 17, 5000, (32, 16, 1 << 31), (2, 1)),
    ("outside", 33, 17, 5000, (32, 16, 1), (3, 0)),
    ("one entry", 1, 1, 1, (0, 0, 64), (0, 0)),
)
Product = tuple[dict[bytes, NDArray[Any]], MatrixRef, MatrixRef, MatrixRef]


def draw(name: str, rows: int, cols: int) -> NDArray[np.int8]:
    """Return a matrix whose byte t is that of BLAKE3's output over the name, and-ed with 127, minus 64."""
    stream = np.frombuffer(blake3(name.encode()).digest(length=rows * cols), dtype=np.uint8)
    return ((stream & 127).astype(np.int16) - 64).astype(np.int8).reshape(rows, cols)


def make_product(name: str, m: int, n: int, k: int, wrong: tuple[int, int, int] | None) -> Product:
    x, w = draw(f"{name}/x", m, k), draw(f"{name}/w", n, k)
    y = (x.astype(np.int64) @ w.astype(np.int64).T).astype(np.int32)
    if wrong is not None:
        row, col, added = wrong
        y[row, col] = np.array([int(y[row, col]) + added], dtype=np.int64).astype(np.int32)[0]
    refs = [matrix_ref(array) for array in (x, w, y)]
    return {ref.id: array for ref, array in zip(refs, (x, w, y), strict=True)}, *refs


def open_row(arrays: dict[bytes, NDArray[Any]], ref: MatrixRef, first: int, count: int) -> StripRow:
    array = arrays[ref.id]
    strips = b"".join(compute_strip(array, index) for index in range(first, first + count))
    return StripRow(strips, StripTree(compute_leaf_row(array)).compute_range_path(first, count))


def make_challenge(product: Product, i: int, j: int) -> Challenge:
    arrays, x, w, y = product
    tile = open_tile(x, w, y, i, j, lambda ref, first, count: open_row(arrays, ref, first, count))
    return Challenge(JOB, i, j, tile.x, tile.w, tile.y)


def make_tiles() -> list[dict[str, Any]]:
    made = []
    for name, m, n, k, wrong, (i, j) in CASES:
        product = make_product(name.partition(",")[0], m, n, k, wrong)
        case: dict[str, Any] = {"name": name.partition(",")[0], "m": m, "n": n, "k": k, "wrong": wrong, "i": i, "j": j}
        case |= {f"{side}_id": ref.id.hex() for side, ref in zip("xwy", product[1:], strict=True)}
        try:
            payload = make_challenge(product, i, j)
            is_wrong = is_tile_wrong(
                *product[1:], open_tile(*product[1:], i, j, lambda *at, a=product[0]: open_row(a, *at))
            )
            case |= {f"{side}_path": [node.hex() for node in getattr(payload, side).path] for side in "xwy"}
            case |= {"payload_bytes": len(encode(payload)), "payload_blake3": blake3(encode(payload)).hexdigest()}
            case["verdict"] = "wrong" if is_wrong else "tile-is-right"
        except InvalidMatrix as error:
            case["verdict"] = error.code
        made.append(case)
    return made


class Records(dict[StateKey, bytes]):
    """Implements consensus.StateReader over a dictionary."""

    def iterate(self, prefix: bytes, start: StateKey | None = None) -> Iterator[tuple[StateKey, bytes]]:
        yield from sorted((k, v) for k, v in self.items() if k.startswith(prefix) and k >= (start or prefix))


def make_state() -> dict[str, Any]:
    """Return one optimistic job, claimed at 5, delivered wrong at 6 and challenged at 8; and the same one left alone
    until 9.
    """
    product = make_product("one strip", 16, 16, 1024, (3, 5, 1))
    worker, watcher = (compute_address(compute_public_key(key)) for key in (WORKER, WATCHER))
    _, x, w, y = product
    job = Job(
        poster=POSTER,
        work=ProductWork(x, w, JobMode.OPTIMISTIC),
        reward=10**9,
        bond=10**8 + 1,
        claim_window=20,
        deadline=1000,
        posted_at=3,
        burned=1000,
        state=JobState.CLAIMED,
        worker=worker,
        closed_at=0,
    )
    records = Records(
        {
            account_key(worker): encode(Account(1, 10**12, 10**8 + 1, 1234, 5, 1)),
            account_key(watcher): encode(Account(balance=10**9)),
            job_key(JOB): encode(job),
            claim_key(JOB): encode(Claim(worker, 10**8 + 1, 5, 25)),
            queue_key(Kind.LAPSE, Height(26), JOB): encode(Queued()),
            queue_key(Kind.DEADLINE, Height(1001), JOB): encode(Queued()),
            MARKET_KEY: encode(Market(10**15, 1, 10**9)),
        }
    )
    steps = [_show("before", 5, records)]
    delivered = _play(records, 6, WORKER, 1, SubmitResult(JOB, y))
    steps.append(_show("delivered", 6, delivered))
    steps.append(_show("challenged", 8, _play(delivered, 8, WATCHER, 0, make_challenge(product, 0, 0))))
    steps.append(_show("paid", 6 + WINDOW, _play(delivered, 6 + WINDOW)))
    return {"challenge_window": WINDOW, "steps": steps}


def _play(records: Records, height: int, key: bytes = b"", nonce: int = 0, payload: Payload | None = None) -> Records:
    execution = Execution(
        PARAMS,
        records,
        height=Height(height),
        beneficiary=Address(bytes(20)),
        target=PARAMS.genesis_target,
        results=None,
        parent=BlockId(bytes(32)),
        bls=get_bls(),
    )
    if payload is not None:
        execution.add(Transaction(CHAIN_ID, compute_public_key(key), nonce, 1000, payload, b"\x55" * 64))
    after = Records(records)
    for key_, value in execution.finish().changes.items():
        if value is None:
            del after[key_]
        else:
            after[key_] = value
    return after


def _show(name: str, height: int, records: Records) -> dict[str, Any]:
    return {"name": name, "height": height, "records": {k.hex(): v.hex() for k, v in sorted(records.items())}}


def make_vectors() -> dict[str, Any]:
    """Return the whole file as plain data."""
    params = {name: getattr(PARAMS, name) for name in ("max_block_bytes", "challenge_window", "subsidy_initial")}
    return {"params": params, "tiles": make_tiles(), "state": make_state()}


def main() -> int:
    FILE.write_text(json.dumps(msgspec.to_builtins(make_vectors()), indent=1) + "\n", "utf-8")
    print(f"wrote {FILE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
