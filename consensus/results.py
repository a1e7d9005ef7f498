"""Delivered products as the rules see them: named by transactions, checked elsewhere (protocol, section 4).

The rules never multiply. They look up the verdict on each product that a block delivers; where there is none yet, the
block waits, and nothing is said about its validity.
"""

from collections.abc import Iterable, Iterator
from typing import Final, Protocol

from inos.consensus.codes import Code
from inos.consensus.prices import compute_matrix_bytes
from inos.primitives.errors import MatrixMissing, RuleViolation, VerdictMissing
from inos.primitives.matrices import MatrixRef, Product
from inos.primitives.units import MatrixId


class ResultChecker(Protocol):
    """The verdicts of this node. It is asked in the writer's thread, so it looks up and does not compute."""

    def get_verdict(self, product: Product) -> bool | None:
        """Return whether Y = X * W^T, or None where all three matrices are here and the check is outstanding.

        Raises:
            MatrixMissing: with the ids of those of the three that are not here, where there is no verdict.
        """


class TrustedResults:
    """Takes every product as checked: for blocks that lie more than `result_depth` below a tip that work vouches for.

    All other rules hold for such a block, so its state comes out as it did for the nodes that checked.
    """

    def get_verdict(self, product: Product) -> bool | None:
        return True


TRUSTED_RESULTS: Final = TrustedResults()


def check_products(products: Iterable[Product], results: ResultChecker) -> None:
    """Every product is right.

    Raises:
        RuleViolation: "wrong-result": one is known to be wrong, whatever is not known of the others.
        VerdictMissing: with all that have no verdict, and all matrices they lack.
    """
    unchecked: list[Product] = []
    missing: dict[MatrixId, None] = {}
    for product in products:
        try:
            verdict = results.get_verdict(product)
        except MatrixMissing as error:
            verdict = None
            missing |= dict.fromkeys(error.ids)
        if verdict is None:
            unchecked.append(product)
        elif not verdict:
            raise RuleViolation(
                Code.WRONG_RESULT, f"{product.y.id.hex()} is not the product that job {product.job.hex()} asks for"
            )
    if unchecked:
        raise VerdictMissing(unchecked, tuple(missing))


def iterate_matrices(product: Product) -> Iterator[tuple[MatrixRef, int]]:
    """The three matrices with the bytes of their strips: int8 operands, an int32 result."""
    for ref, size in ((product.x, 1), (product.w, 1), (product.y, 4)):
        yield ref, compute_matrix_bytes(ref.rows, ref.cols * size)
