"""Draw docs/img/mining.png from a real run: the two operands, the tickets of their product, and the winning one.

Usage: python benchmarks/mining_picture.py [docs/img/mining.png]
"""

import sys

import matplotlib as mpl
import numpy as np

from inos import work
from inos.primitives.hashing import Context, compute_hash

mpl.use("Agg")
import matplotlib.pyplot as plt

ROWS, COLS, DEPTH = 256, 192, 1024
TILE = 16


def main() -> None:
    path = sys.argv[1] if len(sys.argv) > 1 else "docs/img/mining.png"
    t = np.linspace(0, 6 * np.pi, DEPTH)
    phases = np.linspace(0, 3 * np.pi, ROWS)[:, None], np.linspace(0, 2 * np.pi, COLS)[:, None]
    x, w = ((60 * np.sin(t + phase)).round().astype(np.int8) for phase in phases)
    operands, nonce = (work.Operand.commit(x), work.Operand.commit(w)), 0
    while True:  # A miner without a winning ticket takes another nonce or the next product.
        mined = work.mine(*operands, compute_hash(Context.FREIVALDS, nonce.to_bytes(4, "big")), 2**256 // 150)
        if mined.wins:
            break
        nonce += 1
    if mined.product is None or not np.array_equal(mined.product, x.astype(np.int64) @ w.astype(np.int64).T):
        raise SystemExit("the product is not exact: this must never be seen")

    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(13, 4.4), layout="constrained")
    left.imshow(x[:, :256], cmap="gray", aspect="auto")
    left.set(title="X: 256 x 1024, somebody's numbers\n(first 256 columns)", xlabel="k", ylabel="rows of X")
    middle.imshow(w[:, :256], cmap="gray", aspect="auto")
    middle.set(title="W: 192 x 1024\n(first 256 columns)", xlabel="k", ylabel="rows of W")
    right.imshow(mined.product, cmap="coolwarm", aspect="auto")
    for at in range(0, COLS, TILE):
        right.axvline(at - 0.5, color="white", linewidth=0.3)
    for at in range(0, ROWS, TILE):
        right.axhline(at - 0.5, color="white", linewidth=0.3)
    for win in mined.wins:
        place = (win.seal.j * TILE - 0.5, win.seal.i * TILE - 0.5)
        right.add_patch(plt.Rectangle(place, TILE, TILE, fill=False, edgecolor="black", linewidth=2.5))
        left.axhspan(win.seal.i * TILE, win.seal.i * TILE + TILE, color="orange", alpha=0.4)
        middle.axhspan(win.seal.j * TILE, win.seal.j * TILE + TILE, color="orange", alpha=0.4)
    tickets = (ROWS // TILE) * (COLS // TILE)
    right.set(title=f"Y = X times W transposed, exact:\n{tickets} tickets, framed: {len(mined.wins)} that won",
              xlabel="rows of W", ylabel="rows of X")  # fmt: skip
    figure.savefig(path, dpi=110)
    print(f"{path}: {len(mined.wins)} of {tickets} tickets won, about {tickets / 150:.1f} expected")


if __name__ == "__main__":
    main()
