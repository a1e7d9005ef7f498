"""Products on NVIDIA cards by Triton (extra `gpu`).

`kernels` has the five kernels: noise, sums for its removal, product with folds, hashes of tickets, removal. `blake3` is
the hash. `card` uploads blocks, runs them in order and reads back. torch and triton are imported when a card is asked
for.
"""

from inos.work.backends.card import Card


def open_gpu() -> Card:
    """Return the card that torch uses.

    Raises:
        CardFailed: there is none, or torch or triton is not installed.
    """
    from inos.work.backends.gpu.card import GpuCard

    return GpuCard()
