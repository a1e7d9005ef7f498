"""Fetches what a job works on, from this node's store or from other nodes."""

import asyncio
from functools import partial
from typing import Any, Final

from numpy.typing import NDArray

from inos.consensus.records import ProductWork, TaskWork
from inos.core.computation import Loaded, load_task
from inos.miner.policy import Offer
from inos.miner.ports import MatricesPort
from inos.miner.product import Product
from inos.primitives.matrices import MatrixRef
from inos.primitives.transactions import JobMode
from inos.primitives.units import MatrixId
from inos.work import Operand

FETCH_BYTES_PER_S: Final = 32 << 20
"""An operand that arrives this fast is waited for, in addition to the fetch time of the settings."""


async def fetch_task(matrices: MatricesPort, task: TaskWork, patience_s: float) -> Loaded:
    """Fetch and check all that a task names; it raises as `load_task` does."""
    return await load_task(task, partial(fetch_file, matrices, patience_s))


async def fetch_product(matrices: MatricesPort, offer: Offer, work: ProductWork, patience_s: float) -> Product:
    """Fetch both operands of a product. Raises MatrixMissing; MeshError: this node cannot store them."""
    x, w = [await _fetch_operand(matrices, ref, patience_s) for ref in (work.x, work.w)]
    if work.mode is JobMode.CHECKED:
        return Product(x, w)
    return Product(x, w, await matrices.open_product(offer.id, work.x.rows, work.w.rows))


async def fetch_file(matrices: MatricesPort, patience_s: float, id: MatrixId, most: int) -> NDArray[Any]:
    """Fetch a matrix or file of at most so many bytes; it raises as `MatricesPort.fetch` does."""
    return await matrices.fetch(id, patience_s + most / FETCH_BYTES_PER_S, most)


async def _fetch_operand(matrices: MatricesPort, ref: MatrixRef, patience_s: float) -> Operand:
    """Fetch and commit an operand. A large one may take several attempts: what arrived stays stored."""
    timeout_s = patience_s + ref.rows * ref.cols / FETCH_BYTES_PER_S
    array = await matrices.fetch(MatrixId(ref.id), timeout_s)
    return await asyncio.to_thread(partial(Operand.commit, array, copy=False))
