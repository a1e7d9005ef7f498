"""Checks the products that blocks wait for, before the writer and outside it.

A block with a result that has no verdict here is held. Its products come here; those whose matrices are stored are
checked in the checking threads, and then the held blocks are tried again. Products without their matrices are requested
again when a matrix arrives.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Final

from inos.core.matrices.service import MatrixService
from inos.core.threads import Threads
from inos.core.verification.results import StoredResults
from inos.primitives.errors import MatrixMissing
from inos.primitives.matrices import Product
from inos.primitives.units import MatrixId

CHECKED_AT_ONCE: Final = 16
"""So many products are checked in one call: handing over each small one would take longer than checking it."""


class ProductVerifier:
    """Belongs to the event loop's thread."""

    def __init__(self, results: StoredResults, matrices: MatrixService, threads: Threads) -> None:
        self._results = results
        self._matrices = matrices
        self._threads = threads
        self._waiting: dict[tuple[bytes, bytes], Product] = {}
        """The products that wait for their matrices, by job and result."""
        self._has_work = asyncio.Event()

    def request(self, products: Sequence[Product], missing: Sequence[MatrixId]) -> None:
        """Check products as soon as their matrices are stored, and fetch those matrices that are missing."""
        if missing:
            self._matrices.want(missing)
        for product in products:
            self._waiting[bytes(product.job), bytes(product.y.id)] = product
        if products:
            self._has_work.set()

    async def run(self, on_checked: Callable[[], Awaitable[None]]) -> None:
        """Check what is requested until cancelled; `on_checked` is called when there are new verdicts."""
        while True:
            await self._has_work.wait()
            self._has_work.clear()
            waiting, self._waiting = list(self._waiting.values()), {}
            groups = (waiting[first : first + CHECKED_AT_ONCE] for first in range(0, len(waiting), CHECKED_AT_ONCE))
            found = [await self._threads.check(partial(self._check, group)) for group in groups]
            if any(found):
                await on_checked()

    def _check(self, products: Sequence[Product]) -> bool:
        """Return True if there is a new verdict; a product without its matrices is requested again later."""
        is_any = False
        for product in products:
            with suppress(MatrixMissing):
                self._results.get_verdict(product)
                is_any = True
        return is_any
