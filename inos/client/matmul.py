"""`inos.matmul`: numpy's product of real numbers, on this machine's certified engine, a cluster, or by paid jobs."""

import math
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from inos.client.arrays import check_out, is_torch, to_array
from inos.client.costs import Plan, Status, ignore_status, print_status, read_max_cost
from inos.client.errors import ClientError
from inos.client.operands import BadOperand, Credits, read_credits
from inos.client.tables import Tables, read_tables
from inos.work.floats import Engine, multiply_floats, multiply_integers
from inos.work.floats.local import multiply_here

if TYPE_CHECKING:
    from inos.client.blocking_client import BlockingClient
    from inos.client.client import Client

__all__ = ["matmul", "quote"]

DEFAULT_ACCURACY: Final = {np.dtype(np.float32): 2.0**-25, np.dtype(np.float64): 2.0**-54}
"""Half a unit roundoff of |A| |B|. numpy's own product may lose k of these, and in practice loses one to ten."""
FINEST: Final = 2.0**-100
"""Results are summed in two float64, which hold no finer accuracy."""
DEFAULT_TIMEOUT_S: Final = 600.0
BLOCK: Final = 4096
"""Rows of either operand multiplied at a time, so that the digits of large operands are never all in memory."""


def matmul(
    a: Any,
    b: Any,
    *,
    out: NDArray[Any] | None = None,
    client: "Client | BlockingClient | str | None" = None,
    engine: str | None = None,
    accuracy: float | None = None,
    reward: Credits | None = None,
    max_cost: Credits | None = None,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    on_status: Callable[[Status], None] = print_status,
) -> Any:
    """Return A @ B of numpy arrays (or torch tensors), multiplied by the int7 engine and put together exactly.

    Integers (any type whose product fits 64 bits) are split into int7 limbs; the result is int64 and exact. Booleans
    count as 0 and 1; the product of two boolean matrices is boolean, as numpy's is.
    Floats are scaled to integers and multiplied modulo as many small numbers as the data and `accuracy` need:

        |C - A B| <= accuracy * (|A| |B|) + u * |C|   for every entry,

    where u is the unit roundoff of the result's type (2^-24 for float32, 2^-53 for float64); results below the smallest
    normal number round to the type's spacing there, as numpy's do. By default `accuracy` is u / 2, which measures at
    least as good as numpy's own product in that type. Small products (at most 2^20 multiplications, or at most 16
    terms) lose nothing but the last rounding, unless one row spans more than 2^30. Scales may differ from row to row
    and entry to entry; the further they differ within one row, the more products are needed.

    Args:
        a, b: float32, float64 or integer, shapes as numpy.matmul takes them. float16 counts as float32. Sparse
            matrices of scipy are filled in. Tables of pandas meet by label, as in DataFrame.dot.
        out: an array of the product's shape and type that it is written to, as in numpy.
        client: if given, every int7 product is a paid job on the chain, and checked here by Freivalds.
            A node's address pays with the wallet "default" of this machine, whose password is asked for.
            The call blocks; in asyncio code use `await asyncio.to_thread(inos.matmul, ...)`.
        engine: "ray://HEAD:10001" multiplies on a Ray cluster of one's own machines, whose products are checked here by
            Freivalds too (docs/cluster.md). The connection is kept for later calls.
        accuracy: 2^-100 to 1, for floats only.
        reward: credits per job; by default what the last settled jobs paid per ticket.
        max_cost: most credits for rewards, burns and fees of all jobs together; nothing is sent if they cost more.
        timeout_s: longest time for all jobs together.
        on_status: is told before anything is sent how many jobs there are, what they cost and how long they may take,
            and later how far they are. By default that is printed on stderr; `inos.client.costs.ignore_status` is
            silent.

    Returns:
        An array of numpy.result_type(a, b) for floats, int64 for integers; a torch tensor where `a` is one, without
        its gradient; a DataFrame or Series with labels where one of the operands gives the product labels.

    Raises:
        BadOperand: "bad-dtype", "bad-shape", "not-finite" (naming the entry), "depth-mismatch", "bad-accuracy",
            "masked", "too-sparse", "misaligned", "labelled" for tables that are not of pandas.
        InvalidMatrix: "product-too-large" if integers might not fit 64 bits.
        ClusterError: the cluster cannot be used, or multiplied wrongly.
        ClientError, JobFailed: for the same reasons as `Client.multiply`; "too-expensive",
            "insufficient-balance", "timeout".
    """
    left, right, wanted, tables = _prepare(a, b, accuracy)
    rows, cols = _to_matrices(left, right)
    kind = np.dtype(bool) if left.dtype == right.dtype == bool else _get_kind(left, right, wanted)
    if out is not None:
        check_out(out, _compute_shape(left, right), kind)
    if client is not None and engine is not None:
        raise BadOperand("bad-engine", "both client and engine are given", hint="leave out one of them")
    if client is None:
        product = _multiply_stacks(rows, cols, wanted, multiply_here if engine is None else _open_cluster(engine))
    else:
        from inos.client.job_engine import JobEngine, Terms

        nano = None if reward is None else read_credits("reward", reward, None)
        terms = Terms(nano, read_max_cost(max_cost), timeout_s, on_status)
        with JobEngine(_to_client(client), terms) as jobs:
            _multiply_stacks(rows, cols, wanted, jobs.record)
            jobs.start()
            product = _multiply_stacks(rows, cols, wanted, jobs)
    if right.ndim == 1:
        product = product[..., 0]
    if left.ndim == 1:
        product = product[..., 0] if right.ndim == 1 else product[..., 0, :]
    product = product != 0 if kind.kind == "b" else product
    if out is None:
        return _like(product, a) if tables is None else tables.label(_like(product, None))
    out[...] = product
    return out


def quote(
    a: Any,
    b: Any,
    *,
    client: "Client | BlockingClient | str",
    accuracy: float | None = None,
    reward: Credits | None = None,
) -> Plan:
    """Return what `inos.matmul(a, b, client=...)` would post: jobs, tickets, nano and seconds. Nothing is sent.

    Args:
        a, b, client, accuracy, reward: as `inos.matmul` takes them. The client needs an account, and no credits.

    Raises:
        BadOperand, ClientError: as `inos.matmul` before it sends anything.
    """
    from inos.client.job_engine import JobEngine, Terms

    left, right, wanted, _ = _prepare(a, b, accuracy)
    nano = None if reward is None else read_credits("reward", reward, None)
    terms = Terms(nano, None, DEFAULT_TIMEOUT_S, ignore_status)
    with JobEngine(_to_client(client), terms) as jobs:
        _multiply_stacks(*_to_matrices(left, right), wanted, jobs.record)
        return jobs.price()


class _Operands(NamedTuple):
    """Both operands as arrays, the accuracy to reach (None for integers), and tables with the product's labels."""

    left: NDArray[Any]
    right: NDArray[Any]
    accuracy: float | None
    tables: Tables | None


def _prepare(a: Any, b: Any, accuracy: float | None) -> _Operands:
    """Check both operands; it raises as `matmul`."""
    tables = read_tables(a, b)
    if tables is not None:
        a, b = tables.left, tables.right
    left, right = to_array(a, "A"), to_array(b, "B")
    if left.ndim == 0 or right.ndim == 0:
        raise BadOperand("bad-shape", "an operand is a single number", hint="multiply single numbers with *")
    rows, cols = _to_matrices(left, right)
    if rows.shape[-1] != cols.shape[-2]:
        raise BadOperand(
            "depth-mismatch",
            f"A has {rows.shape[-1]} columns and B has {cols.shape[-2]} rows: {left.shape} @ {right.shape}",
        )
    return _Operands(left, right, _check_accuracy(accuracy, left, right), tables)


def _to_matrices(left: NDArray[Any], right: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return a vector as a matrix of one row on the left, of one column on the right."""
    return left[None, :] if left.ndim == 1 else left, right[:, None] if right.ndim == 1 else right


@cache
def _open_cluster(address: str) -> Engine:
    from inos.work.cluster import open_engine

    return open_engine(address)


def _to_client(client: "Client | BlockingClient | str") -> "Client":
    """Return the asynchronous client behind what the caller gave."""
    from inos.client.blocking_client import BlockingClient
    from inos.client.client import Client

    if isinstance(client, str):
        return Client(client, wallet="default")
    if isinstance(client, BlockingClient):
        return client.async_client
    if not isinstance(client, Client):
        raise ClientError(
            "bad-client",
            f"client is a {type(client).__name__}",
            hint='give inos.connect("http://127.0.0.1:8645", wallet="default"), or the address alone',
        )
    return client


def _multiply_stacks(a: NDArray[Any], b: NDArray[Any], accuracy: float | None, engine: Engine) -> NDArray[Any]:
    """Multiply the last two axes and broadcast the others, as numpy.matmul does.

    An axis that only A has, or that has length one in B, adds rows to A, and the other way round: everything that meets
    the same matrix is one product.
    """
    outer, kind = _broadcast(a.shape, b.shape), _get_kind(a, b, accuracy)
    a, b = (array.reshape((1,) * (len(outer) + 2 - array.ndim) + array.shape) for array in (a, b))
    axes = range(len(outer))
    only_a = [axis for axis in axes if b.shape[axis] == 1]
    only_b = [axis for axis in axes if a.shape[axis] == 1 and axis not in only_a]
    both = [axis for axis in axes if axis not in only_a and axis not in only_b]
    m, n, k = a.shape[-2], b.shape[-1], a.shape[-1]
    # Axes of length one of either side are in front, and those of the other side are merged with its rows.
    shared = [outer[axis] for axis in both]
    rows, cols = m * math.prod(outer[axis] for axis in only_a), n * math.prod(outer[axis] for axis in only_b)
    left = a.transpose(*both, *only_b, *only_a, -2, -1).reshape(*shared, rows, k)
    right = b.transpose(*both, *only_a, *only_b, -1, -2).reshape(*shared, cols, k)
    product = np.zeros((*shared, rows, cols), kind)
    for index in np.ndindex(*shared):
        _multiply_blocks(left[index], right[index], accuracy, engine, product[index])
    order = [*both, *only_a, len(outer), *only_b, len(outer) + 1]
    return product.reshape([(*outer, m, n)[axis] for axis in order]).transpose(np.argsort(order))


def _broadcast(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of all axes but the last two."""
    try:
        return np.broadcast_shapes(a[:-2], b[:-2])
    except ValueError as error:
        raise BadOperand("bad-shape", f"{a} and {b} cannot be broadcast together") from error


def _compute_shape(left: NDArray[Any], right: NDArray[Any]) -> tuple[int, ...]:
    """Return the product's shape; a vector on either side leaves its axis out."""
    rows = () if left.ndim == 1 else (left.shape[-2],)
    cols = () if right.ndim == 1 else (right.shape[-1],)
    return (*_broadcast(left.shape, right.shape), *rows, *cols)


def _get_kind(left: NDArray[Any], right: NDArray[Any], accuracy: float | None) -> np.dtype[Any]:
    return np.dtype(np.int64) if accuracy is None else np.result_type(left, right)


def _multiply_blocks(
    a: NDArray[Any], b: NDArray[Any], accuracy: float | None, engine: Engine, product: NDArray[Any]
) -> None:
    """Write A * B^T into `product`, one block of rows of each at a time."""
    if not a.size or not b.size:
        return
    for top in range(0, len(a), BLOCK):
        for side in range(0, len(b), BLOCK):
            x, w = a[top : top + BLOCK], b[side : side + BLOCK]
            block = product[top : top + BLOCK, side : side + BLOCK]
            if accuracy is None:
                block[...] = multiply_integers(x, w, engine)
            else:
                x, w = (side if side.dtype.kind == "f" else side.astype(np.float64) for side in (x, w))
                multiply_floats(x, w, engine, accuracy=accuracy, scout=multiply_here, out=block)


def _check_accuracy(accuracy: float | None, a: NDArray[Any], b: NDArray[Any]) -> float | None:
    """Return the accuracy to keep; None for integers."""
    kind = np.result_type(a, b)
    if accuracy is not None and not FINEST <= accuracy <= 1:
        raise BadOperand("bad-accuracy", f"an accuracy lies in 2^-100 .. 1, and this one is {accuracy!r}")
    if a.dtype.kind in "biu" and b.dtype.kind in "biu":
        if accuracy is not None:
            raise BadOperand("bad-accuracy", "products of integers are exact; leave accuracy out")
        return None
    return DEFAULT_ACCURACY[kind] if accuracy is None else accuracy


def _like(product: NDArray[Any], given: Any) -> Any:
    if not is_torch(given):
        return product[()] if product.ndim == 0 else product
    import torch

    return torch.from_numpy(np.asarray(product)).to(given.device)
