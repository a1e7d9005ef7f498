"""Services of workers for the tests of this folder."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from support.work_lab import WorkLab, open_lab, shrink_fillers


@pytest.fixture(autouse=True)
def _small_fillers(monkeypatch: pytest.MonkeyPatch) -> None:
    shrink_fillers(monkeypatch)


@pytest.fixture
async def lab() -> AsyncIterator[WorkLab]:
    """Return a service without a pool."""
    async with open_lab() as opened:
        yield opened


@pytest.fixture
async def pool_lab() -> AsyncIterator[Any]:
    """Return a service that takes strangers."""
    async with open_lab(has_pool=True) as opened:
        yield opened
