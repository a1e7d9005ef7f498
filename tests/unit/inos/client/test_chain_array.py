"""`inos.array`: products go where `inos.matmul` sends them, everything else to numpy."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import inos
from inos.client import chain_array
from inos.client.chain_array import Array
from inos.testing import TestChain

RNG = np.random.default_rng(5)
A, B = RNG.integers(-50, 50, (6, 8)), RNG.integers(-50, 50, (8, 5))


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Count the products, with their options."""
    calls: list[dict[str, Any]] = []

    def multiply(a: Any, b: Any, **options: Any) -> Any:
        calls.append(options)
        return np.matmul(a, b)

    monkeypatch.setattr(chain_array, "matmul", multiply)
    return calls


@pytest.mark.parametrize(
    "multiply",
    [
        lambda a, b: inos.array(a, engine="x") @ b,
        lambda a, b: a @ inos.array(b, engine="x"),
        lambda a, b: np.matmul(inos.array(a, engine="x"), b),
        lambda a, b: np.matmul(a, inos.array(b, engine="x")),
        lambda a, b: np.dot(inos.array(a, engine="x"), b),
        lambda a, b: np.dot(a, inos.array(b, engine="x")),
        lambda a, b: inos.array(a, engine="x") @ inos.array(b),
        lambda a, b: (inos.array(b.T, engine="x") @ a.T).T,
    ],
)
def test_each_way_to_write_a_product_goes_there(counted: list[dict[str, Any]], multiply: Any) -> None:
    product = multiply(A, B)
    assert isinstance(product, Array)
    assert np.array_equal(product, A @ B)
    assert counted == [{"engine": "x"}]


def test_everything_else_is_numpys(counted: list[dict[str, Any]]) -> None:
    a = inos.array(A, engine="x")
    for made, expected in (
        (a + 1, A + 1),
        (np.maximum(a, 0), np.maximum(A, 0)),
        (a * inos.array(A), A * A),
        (np.concatenate([a, A]), np.concatenate([A, A])),
        (a[1:3, ::2], A[1:3, ::2]),
        (a.T, A.T),
        (np.sum(a, axis=0), A.sum(axis=0)),
        (np.dot(a, 3), np.dot(A, 3)),
    ):
        assert isinstance(made, Array)
        assert np.array_equal(made, expected)
    assert (np.sum(a), len(a), a.shape, a.dtype, a.ndim) == (A.sum(), 6, (6, 8), A.dtype, 2)
    assert counted == []
    assert isinstance((a + 1) @ B, Array)
    assert counted == [{"engine": "x"}]


@given(st.integers(1, 5), st.integers(1, 5), st.integers(1, 5), st.booleans())
def test_products_on_this_machine_are_exact(m: int, k: int, n: int, flat: bool) -> None:
    a, b = RNG.integers(-(2**20), 2**20, (m, k)), RNG.integers(-(2**20), 2**20, k if flat else (k, n))
    assert np.array_equal(inos.array(a) @ b, a @ b)


def test_arrays_multiply_on_a_chain_for_what_was_quoted() -> None:
    with TestChain(accounts=1) as chain, inos.BlockingClient(chain.url, wallet=chain.accounts[0].key) as client:
        plan = inos.quote(A, B, client=client)
        assert (plan.jobs, plan.cost) == (1, plan.reward + plan.burn + plan.fees)
        before = client.account().balance
        assert before == chain.funds  # A quote sends nothing.
        product = inos.array(A, client=client, on_status=lambda _: None) @ B
        assert np.array_equal(product, A @ B)
        assert 0 < before - client.account().balance <= plan.cost * 3 // 2
        with pytest.raises(inos.BadOperand):
            inos.quote(A, A, client=client)


def test_a_quote_needs_no_credits() -> None:
    with (
        TestChain(accounts=1, funds=1) as chain,
        inos.BlockingClient(chain.url, wallet=chain.accounts[0].key) as client,
    ):
        assert inos.quote(A, B, client=client).cost > 1
        with pytest.raises(inos.ClientError, match="the account has"):
            inos.matmul(A, B, client=client)
