"""Products are checked in few calls, each for what it needs, and those without matrices are asked for again."""

from collections.abc import Callable
from typing import Any

from inos.core.verification.products import CHECKED_AT_ONCE, ProductVerifier
from inos.primitives.errors import MatrixMissing
from inos.primitives.matrices import DType, Product, make_matrix_ref
from inos.primitives.units import Hash, JobId
from support.inline_threads import InlineThreads

COUNT = 3 * CHECKED_AT_ONCE + 1


class Results:
    """Has the matrices of all products but one."""

    def __init__(self) -> None:
        self.checked: list[JobId] = []

    def get_verdict(self, product: Product) -> bool:
        if product.job == make_product(5).job:
            raise MatrixMissing([product.y.id])
        self.checked.append(product.job)
        return True


class CountingThreads(InlineThreads):
    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    async def check(self, call: Callable[[], Any]) -> Any:
        self.calls += 1
        return call()


class Done(Exception):
    """Ends the verifier's work."""


def make_product(number: int) -> Product:
    tag = Hash(number.to_bytes(32, "big"))
    operand = make_matrix_ref(DType.INT7, 16, 64, tag)
    return Product(JobId(tag), operand, operand, make_matrix_ref(DType.INT32, 16, 16, tag))


async def test_many_products_take_few_calls_and_a_missing_matrix_stops_none() -> None:
    results, threads = Results(), CountingThreads()
    verifier = ProductVerifier(results, None, threads)  # type: ignore[arg-type]
    verifier.request([make_product(number) for number in range(COUNT)], ())

    async def end() -> None:
        raise Done

    try:
        await verifier.run(end)
    except Done:
        assert len(results.checked) == COUNT - 1
        assert threads.calls == 4
        return
    raise AssertionError("nothing was checked")
