"""Writes workers.json beside itself: encoded messages of the worker protocol, a small filler with its tickets, and a
piece of a product with its runs, tickets and rows.

    python tests/vectors/make_workers.py

The format is described in README.md here.
"""

import json
from enum import IntEnum
from pathlib import Path
from typing import Any, Final

from blake3 import blake3
from msgspec.structs import astuple

from inos.primitives.blocks import compute_anchor
from inos.primitives.matrices import MatrixRef
from inos.primitives.units import U256_MAX
from inos.work import Lottery
from inos.workers.filler import make_operands
from inos.workers.messages import (
    VERSION,
    Ack,
    Assignment,
    Cancelled,
    Declined,
    Filler,
    GetRun,
    Hello,
    Local,
    Measured,
    Message,
    NewTemplate,
    Piece,
    Refused,
    Result,
    Rows,
    RunData,
    Share,
    Totals,
    Welcome,
    WorkerKind,
    WorkHeader,
    encode_message,
    make_header,
)
from inos.workers.server.runs import count_needed_runs, count_runs, read_run

FILE: Final = Path(__file__).with_name("workers.json")
PREFIX: Final = 2**31 + 5
MAX_JSON_INTEGER: Final = 2**53 - 1
"""JavaScript reads no larger integer of JSON exactly."""


def draw(name: str, length: int = 32) -> bytes:
    """Return bytes of BLAKE3 over a name."""
    return blake3(f"workers/{name}".encode()).digest(length=length)


HEADER: Final = WorkHeader(
    3,
    70_001,
    300,
    draw("parent"),
    1_767_225_600_123,
    draw("tx root"),
    draw("state root"),
    draw("target"),
    draw("pool", 20),
)
REF_X: Final = MatrixRef(draw("x id"), 4096, 4096, draw("x root"))
REF_W: Final = MatrixRef(draw("w id"), 100_000, 65_536, draw("w root"))
SHARE: Final = Share(PREFIX << 32, 0, 127, 128, draw("digest"))
MESSAGES: Final[tuple[Message, ...]] = (
    Hello(VERSION, draw("me", 16), draw("address", 20), None, "Zoë's phone", WorkerKind.PAGE, "wasm", 4, 900, 0, 0, 0),
    Hello(
        VERSION, draw("it", 16), None, draw("token"), "", WorkerKind.MACHINE, "native-avx2", 2, 2**20, 1, 2**40, 2**33
    ),
    Measured(65_536, 12_500_000, 2_500_000),
    Result(1, 1, 4096, (), False),
    Result(70_000, 255, 2**32 - 1, (SHARE, Share(2**64 - 1, 2**16 - 1, 2**16, 3, draw("another"))), True),
    Rows(2, 0, b"\x00\x01\x02\x03"),
    Rows(2, 2**20, draw("rows", 300)),
    GetRun(draw("x id"), 9),
    Declined(2, "no memory for 4 GiB"),
    Welcome(VERSION, "devnet", "inosd", draw("genesis"), draw("pool", 20), PREFIX, 0, None),
    Welcome(
        VERSION, "testnet", "inost", draw("genesis"), draw("pool", 20), 2**32 - 1, 2**40, Local("/a/w", draw("k", 16))
    ),
    NewTemplate(1, HEADER, draw("win target")),
    Assignment(1, draw("share target"), Filler(draw("seed"), 1024, 1024, 1024)),
    Assignment(2, draw("share target"), Piece(REF_X, REF_W, 64, 128, True)),
    Ack(1, 1, Totals(3, 12_288, 1_500_000_000, 0)),
    RunData(draw("x id"), 0, draw("run", 16_384), (draw("left"), draw("right"))),
    Cancelled(2),
    Refused("wrong-rows", "rows 1024 to 2047 of piece 2 are not X times W", 3600),
)
FILLER: Final = Filler(draw("filler"), 40, 32, 1100)
PRODUCT: Final = Filler(draw("product"), 700, 40, 1100)
"""The operands of the piece are drawn like those of a filler. X has two runs."""
STRIPS: Final = (31, 34)
SHOWN_ROWS: Final = 2


def make_vectors() -> dict[str, Any]:
    """Return what the file holds."""
    return {"messages": [show_message(each) for each in MESSAGES], "filler": make_filler(), "piece": make_piece()}


def show_message(message: Message) -> dict[str, Any]:
    encoded = encode_message(message)
    return {"name": type(message).__name__, "fields": show(message), "encoded": encoded.hex()}


def show(value: Any) -> Any:
    """Return a value as JSON: structs as their fields in order, after their tag if it says which one it is, bytes as
    hex, large integers as text."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, tuple):
        return [show(each) for each in value]
    if hasattr(value, "__struct_config__"):
        fields = [show(each) for each in astuple(value)]
        return [value.__struct_config__.tag, *fields] if isinstance(value, Filler | Piece) else fields
    if isinstance(value, IntEnum):
        return int(value)
    is_large = isinstance(value, int) and value > MAX_JSON_INTEGER
    return str(value) if is_large else value


def make_filler() -> dict[str, Any]:
    x, w = make_operands(FILLER)
    nonces = [PREFIX << 32, PREFIX << 32 | 1]
    return {
        "seed": FILLER.seed.hex(),
        "shape": [FILLER.rows_x, FILLER.rows_w, FILLER.depth],
        "x_first_entries": x.array[0, :16].tolist(),
        "x_id": x.ref.id.hex(),
        "w_id": w.ref.id.hex(),
        "header": show(HEADER),
        "draws": [make_draw(x, w, nonce) for nonce in nonces],
    }


def make_piece() -> dict[str, Any]:
    x, w = make_operands(PRODUCT)
    assert count_needed_runs(x, *STRIPS) == count_runs(x) == 2
    nonce, digests = PREFIX << 32 | 2, dict[str, str]()
    anchor = compute_anchor(make_header(HEADER, nonce))
    drawn = Lottery(w, anchor, U256_MAX, backend="numpy").draw(
        x, *STRIPS, lambda i, j, p, digest: digests.update({f"{i},{j},{p}": digest.hex()})
    )
    assert drawn.product is not None
    rows = drawn.product.astype("<i4")
    return {
        "seed": PRODUCT.seed.hex(),
        "work": show(Piece(x.ref, w.ref, *STRIPS, True)),
        "runs": [show_run(operand, index) for operand in (x, w) for index in range(count_runs(operand))],
        "header": show(HEADER),
        "nonce": str(nonce),
        "digests": dict(sorted(digests.items())),
        "first_rows": rows[:SHOWN_ROWS].tolist(),
        "rows_bytes": rows.nbytes,
        "rows_hash": blake3(rows.tobytes()).hexdigest(),
    }


def show_run(operand: Any, index: int) -> dict[str, Any]:
    data, path = read_run(operand, index)
    return {
        "id": operand.ref.id.hex(),
        "index": index,
        "bytes": len(data),
        "hash": blake3(data).hexdigest(),
        "path": show(path),
    }


def make_draw(x: Any, w: Any, nonce: int) -> dict[str, Any]:
    anchor = compute_anchor(make_header(HEADER, nonce))
    digests: dict[str, str] = {}
    Lottery(w, anchor, U256_MAX, backend="numpy").draw(
        x, 0, x.strips, lambda i, j, p, digest: digests.update({f"{i},{j},{p}": digest.hex()})
    )
    return {"nonce": str(nonce), "anchor": anchor.hex(), "digests": dict(sorted(digests.items()))}


if __name__ == "__main__":
    FILE.write_text(json.dumps(make_vectors(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
