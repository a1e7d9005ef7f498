"""The pytest plugin: fixtures `inos_devnet` and `inos_chain_factory`. It imports nothing heavy before one is used."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from inos.testing.chain import TestChain


@pytest.fixture
def inos_chain_factory() -> "Iterator[Callable[..., TestChain]]":
    """Return a function that makes test chains with the options of `TestChain`; all are closed at the end."""
    from inos.testing.chain import TestChain

    with ExitStack() as stack:

        def make(**options: Any) -> TestChain:
            return stack.enter_context(TestChain(**options))

        yield make


@pytest.fixture
def inos_devnet(inos_chain_factory: "Callable[..., TestChain]") -> "TestChain":
    """Return a chain with ten funded accounts, a block at once for each transaction, and paid jobs done at once."""
    return inos_chain_factory()
