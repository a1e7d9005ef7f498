"""Delivered products as the rules see them: transactions name them, and other parts check them (protocol, section 4).

The rules never multiply. They look up the verdict on each product that a block delivers. If there is no verdict yet,
the block waits, and is neither valid nor invalid.
"""

from collections.abc import Iterable, Iterator
from typing import Final, Protocol

from inos.consensus.codes import Code
from inos.consensus.prices import compute_matrix_bytes
from inos.primitives.errors import MatrixMissing, RuleViolation, VerdictMissing
from inos.primitives.matrices import MatrixRef, Product
from inos.primitives.units import MatrixId


class ResultChecker(Protocol):
    """The verdicts of this node. The writer's thread asks for them, so a checker looks them up and computes nothing."""

    def get_verdict(self, product: Product) -> bool | None:
        """Return whether Y = X * W^T, or None if all three matrices are here and the check is outstanding.

        Raises:
            MatrixMissing: there is no verdict, and these matrices are not here.
        """


class TrustedResults:
    """Accepts every product, for blocks that lie more than `result_depth` below a tip that work vouches for.

    All other rules hold for such a block, so its state is the same as for the nodes that checked its products.
    """

    def get_verdict(self, product: Product) -> bool | None:
        return True


TRUSTED_RESULTS: Final = TrustedResults()


def check_products(products: Iterable[Product], results: ResultChecker) -> None:
    """Check that every product is right.

    Raises:
        RuleViolation: "wrong-result": one is known to be wrong, even if verdicts on others are missing.
        VerdictMissing: names all products without a verdict and all matrices that they lack.
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
    """Yield the three matrices with the bytes of their strips: int8 operands, an int32 result."""
    for ref, size in ((product.x, 1), (product.w, 1), (product.y, 4)):
        yield ref, compute_matrix_bytes(ref.rows, ref.cols * size)
