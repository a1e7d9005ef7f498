"""`inos.array`: products go where `inos.matmul` sends them, everything else to numpy."""

import pickle
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


SUBSCRIPTS = [
    ("ij,jk->ki", (3, 4), (4, 5)),
    ("ij,kj", (3, 4), (5, 4)),
    ("bij,bjk->bik", (2, 3, 4), (2, 4, 5)),
    ("bij,jkb->kib", (2, 3, 4), (4, 5, 2)),
    ("abcd,cde->eab", (2, 3, 4, 5), (4, 5, 6)),
    ("i,i", (4,), (4,)),
    ("ij,ij", (3, 4), (3, 4)),
    ("hqd,khd->hqk", (2, 3, 4), (5, 2, 4)),
    ("ij,jk->ik", (3, 0), (0, 5)),
]


@pytest.mark.parametrize(("subscripts", "left", "right"), SUBSCRIPTS)
def test_einsum_is_a_product_where_it_sums(
    counted: list[dict[str, Any]], subscripts: str, left: tuple[int, ...], right: tuple[int, ...]
) -> None:
    a, b = RNG.integers(-50, 50, left), RNG.integers(-50, 50, right)
    assert np.array_equal(np.einsum(subscripts, inos.array(a, engine="x"), b), np.einsum(subscripts, a, b))
    assert counted == [{"engine": "x"}]


@pytest.mark.parametrize(
    ("multiply", "code"),
    [
        (lambda a: np.einsum("ij,jk,kl", a, a, a), "not-one-product"),
        (lambda a: np.einsum("ij,jk->i", a, a), "not-one-product"),
        (lambda a: np.einsum("ii,ij->j", a, a), "not-one-product"),
        (lambda a: np.einsum("...ij,...jk", a, a), "not-one-product"),
        (lambda a: np.einsum(a, [0, 1], a, [1, 2]), "not-one-product"),
        (lambda a: np.einsum("ij,jk", a, a, dtype=float), "bad-option"),
        (lambda a: np.einsum("ij,jk", a, a[:3]), "depth-mismatch"),
        (lambda a: np.einsum("ijk,jk", a, a), "bad-shape"),
        (lambda a: np.matmul(a, a, dtype=float), "bad-option"),
        (lambda a: a @ a.astype(complex), "bad-dtype"),
        (lambda a: inos.array(np.ma.masked_equal([[1, 2]], 2)), "masked"),
    ],
)
def test_what_would_run_elsewhere_is_refused(multiply: Any, code: str) -> None:
    with pytest.raises(inos.BadOperand) as refused:
        multiply(inos.array(A[:, :6]))
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("function", "left", "right"),
    [
        (np.dot, (2, 3, 4), (5, 4, 6)),
        (np.dot, (4,), (5, 4, 6)),
        (np.inner, (2, 3, 4), (5, 4)),
        (np.vdot, (3, 4), (3, 4)),
        (np.linalg.matmul if hasattr(np.linalg, "matmul") else np.matmul, (2, 3, 4), (4, 6)),
        *(
            (getattr(np, name), left, right)
            for name, left, right in [
                ("vecdot", (3, 4), (3, 4)),
                ("matvec", (2, 3, 4), (4,)),
                ("vecmat", (2, 4), (2, 4, 3)),
            ]
            if hasattr(np, name)  # from numpy 2.2 on
        ),
    ],
)
def test_products_of_more_axes(
    counted: list[dict[str, Any]], function: Any, left: tuple[int, ...], right: tuple[int, ...]
) -> None:
    a, b = RNG.integers(-50, 50, left), RNG.integers(-50, 50, right)
    assert np.array_equal(function(inos.array(a, engine="x"), b), function(a, b))
    assert counted == [{"engine": "x"}]


def test_programs_for_arrays_run_unchanged(counted: list[dict[str, Any]]) -> None:
    def normalise(x: Any, w: Any) -> Any:
        y = np.maximum(x @ w, 0).astype(float)
        y -= y.mean(axis=1, keepdims=True)
        y /= y.std(axis=1, keepdims=True) + 1
        return y.reshape(2, -1).T[::2].copy()

    made = normalise(inos.array(A, engine="x"), B)
    assert np.array_equal(made, normalise(A, B))
    assert isinstance(made, Array)
    assert counted == [{"engine": "x"}]
    square = inos.array(A[:, :6].copy(), engine="x")
    square @= square
    assert np.array_equal(square, A[:, :6] @ A[:, :6])
    assert (type(square), counted) == (Array, [{"engine": "x"}] * 2)
    assert type(pickle.loads(pickle.dumps(square))) is np.ndarray  # its client cannot be pickled


def test_operands_of_other_libraries() -> None:
    sparse = pytest.importorskip("scipy.sparse", reason="the extra `demo` is not installed")
    product = inos.array(A) @ sparse.csr_matrix(B)
    assert isinstance(product, Array)
    assert np.array_equal(product, A @ B)
    assert np.array_equal(inos.array(sparse.csr_array(A)), A)


def test_labels_are_not_dropped_by_an_array() -> None:
    pd = pytest.importorskip("pandas", reason="pandas is not installed: make extras")
    with pytest.raises(inos.BadOperand, match=r"inos\.matmul keeps") as refused:
        inos.array(pd.DataFrame(A, columns=list("abcdefgh")))
    assert refused.value.code == "labelled"
    table = pd.DataFrame(B, columns=list("pqrst"))
    assert list((inos.array(A) @ table).columns) == list("pqrst")


def test_an_option_that_matmul_has_not_is_refused() -> None:
    with pytest.raises(TypeError, match="no option 'clinet'"):
        inos.array(A, clinet=None)


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
        lambda a, b: inos.array(a, engine="x").dot(b),
        lambda a, b: a.tolist() @ inos.array(b, engine="x"),
        lambda a, b: np.inner(inos.array(a, engine="x"), b.T),
        lambda a, b: np.tensordot(a, inos.array(b, engine="x"), 1),
        lambda a, b: np.tensordot(inos.array(a.T, engine="x"), b, ([0], [-2])),
        lambda a, b: np.einsum("ij,jk", inos.array(a, engine="x"), b),
        lambda a, b: np.einsum("jk, ij -> ik", b, inos.array(a, engine="x"), optimize=True),
        lambda a, b: np.linalg.multi_dot([inos.array(a, engine="x"), b]),
        lambda a, b: np.concatenate([inos.array(a, engine="x")[:3], a[3:]]) @ b,
        lambda a, b: np.stack([a, inos.array(a, engine="x")])[1] @ b,
        lambda a, b: np.matmul(inos.array(a, engine="x"), b, out=inos.array(np.empty((6, 5), int))),
        lambda a, b: np.dot(inos.array(a, engine="x"), b, out=inos.array(np.empty((6, 5), int))),
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
