"""Writes files.json beside itself: ids of files, and heads and strips that no file has.

    python tests/vectors/make_files.py

The format is described in README.md here.
"""

import json
import sys
from pathlib import Path
from typing import Any, Final

from blake3 import blake3

from inos.primitives.hashing import Context, compute_hash
from inos.primitives.matrices import STRIP_BYTES, DType, MatrixRef, compute_file_shape, make_matrix_ref
from inos.primitives.units import ZERO_HASH
from inos.work import InvalidMatrix, check_ref, check_strip
from inos.work.files import compute_file_tree

FILE: Final = Path(__file__).with_name("files.json")
LENGTHS: Final = (0, 1, 1023, 1024, 1025, 16_383, 16_384, 16_385, 50_000, 3 * 16_384 + 1)
SHAPES: Final = ((0, 0), (0, 1), (1, 1025), (2, 0), (2**20 + 1, 1), (2**32 - 1, 1024))
ENDS: Final = ((0, 0), (1, 1), (1023, 1023), (1024, 1024), (3000, 3000), (3000, 16_383), (15_361, 15_361))
"""Each is a length, and the place of the byte 1 behind it."""


def draw(length: int) -> bytes:
    """Return a file: BLAKE3's output over its name."""
    return blake3(f"file/{length}".encode()).digest(length=length)


def make_file(length: int) -> dict[str, Any]:
    ref, tree = compute_file_tree(draw(length))
    last = len(tree.leaves) - 1
    return {
        "length": length,
        "rows": ref.rows,
        "cols": ref.cols,
        "root": ref.root.hex(),
        "id": ref.id.hex(),
        "last_strip_path": [node.hex() for node in tree.compute_path(last)],
    }


def make_wrong_shape(rows: int, cols: int) -> dict[str, Any]:
    ref = make_matrix_ref(DType.BYTES, rows, cols, ZERO_HASH)
    return {"rows": rows, "cols": cols, "root": ref.root.hex(), "id": ref.id.hex(), "code": _judge(ref, None)}


def make_wrong_strip(length: int, at: int) -> dict[str, Any]:
    strip = bytearray(draw(length).ljust(STRIP_BYTES, b"\0"))
    strip[at] = 1
    root = compute_hash(Context.MATRIX_STRIP, bytes(strip))
    ref = make_matrix_ref(DType.BYTES, *compute_file_shape(length), root)
    return {"length": length, "at": at, "root": root.hex(), "id": ref.id.hex(), "code": _judge(ref, bytes(strip))}


def _judge(ref: MatrixRef, strip: bytes | None) -> str:
    """Return the code of the rule that a head or its only strip breaks."""
    try:
        check_ref(ref, DType.BYTES)
        if strip is not None:
            check_strip(ref, DType.BYTES, 0, strip, ())
    except InvalidMatrix as error:
        return error.code
    return "valid"


def make_vectors() -> dict[str, Any]:
    """Return the whole file as plain data."""
    return {
        "files": [make_file(length) for length in LENGTHS],
        "shapes": [make_wrong_shape(*shape) for shape in SHAPES],
        "strips": [make_wrong_strip(*end) for end in ENDS],
    }


def main() -> int:
    FILE.write_text(json.dumps(make_vectors(), indent=1) + "\n", "utf-8")
    print(f"wrote {FILE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
