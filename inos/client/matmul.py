"""`inos.matmul`: numpy's product of real numbers, on the certified engine of this machine or by paid jobs."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from inos import work
from inos.client.operands import BadOperand, Credits
from inos.primitives.errors import InosError
from inos.work.ozaki import Engine, Pair, multiply_floats, multiply_integers

if TYPE_CHECKING:
    from inos.client.blocking_client import BlockingClient
    from inos.client.client import Client

__all__ = ["matmul"]

DEFAULT_ACCURACY: Final = {np.dtype(np.float32): 2.0**-25, np.dtype(np.float64): 2.0**-54}
"""Half a unit roundoff of |A| |B|. numpy's own product may lose k of these, and in practice loses one to ten."""
FINEST: Final = 2.0**-100
"""Results are summed in two float64, which hold no finer accuracy."""
NO_ANCHOR: Final = bytes(32)
BLOCK: Final = 4096
"""Rows of either operand multiplied at a time, so that the digits of large operands are never all in memory."""


def matmul(
    a: Any,
    b: Any,
    *,
    client: "Client | BlockingClient | None" = None,
    accuracy: float | None = None,
    reward: Credits | None = None,
) -> Any:
    """Return A @ B of numpy arrays (or torch tensors), multiplied by the int7 engine and put together exactly.

    Integers (any type whose product fits 64 bits) are split into int7 limbs; the result is int64 and exact.
    Floats are split by the Ozaki scheme into as many int7 slices as the data and `accuracy` need:

        |C - A B| <= accuracy * (|A| |B|) + u * |C|   for every entry,

    where u is the unit roundoff of the result's type (2^-24 for float32, 2^-53 for float64); results below the smallest
    normal number round to the type's spacing there, as numpy's do. By default `accuracy` is u / 2, which measures at
    least as good as numpy's own product in that type. Small products (at most 2^20 multiplications, or at most 16
    terms) lose nothing but the last rounding, unless one row spans more than 2^30. Scales may differ from row to row
    and entry to entry; the further they differ within one row, the more slices are needed.

    Args:
        a, b: float32, float64 or integer, shapes as numpy.matmul takes them. float16 counts as float32.
        client: where given, every product of slices is a paid job on the chain, and checked here by Freivalds.
            The call blocks; in asyncio code use `await asyncio.to_thread(inos.matmul, ...)`.
        accuracy: 2^-100 to 1, for floats only.
        reward: credits per job; by default what the last settled jobs paid per ticket.

    Returns:
        An array of numpy.result_type(a, b) for floats, int64 for integers; a torch tensor where `a` is one.

    Raises:
        BadOperand: "bad-dtype", "bad-shape", "not-finite" (naming the entry), "depth-mismatch", "bad-accuracy".
        InvalidMatrix: "product-too-large", where integers might not fit 64 bits.
        ClientError, JobFailed: as `Client.multiply`.
    """
    left, right = _to_array(a, "A"), _to_array(b, "B")
    if left.ndim == 0 or right.ndim == 0:
        raise BadOperand("bad-shape", "an operand is a single number", hint="multiply single numbers with *")
    wanted = _check_accuracy(accuracy, left, right)
    rows = left[None, :] if left.ndim == 1 else left
    cols = right[:, None] if right.ndim == 1 else right
    if rows.shape[-1] != cols.shape[-2]:
        raise BadOperand(
            "depth-mismatch",
            f"A has {rows.shape[-1]} columns and B has {cols.shape[-2]} rows: {left.shape} @ {right.shape}",
        )
    if client is None:
        product = _multiply_stacks(rows, cols, wanted, _multiply_here)
    else:
        from inos.client.blocking_client import BlockingClient
        from inos.client.job_engine import JobEngine

        chosen = client.async_client if isinstance(client, BlockingClient) else client
        with JobEngine(chosen, reward) as engine:
            product = _multiply_stacks(rows, cols, wanted, engine)
    if right.ndim == 1:
        product = product[..., 0]
    if left.ndim == 1:
        product = product[..., 0] if right.ndim == 1 else product[..., 0, :]
    return _like(product, a)


def _multiply_here(pairs: Iterable[Pair]) -> Iterator[NDArray[np.int32]]:
    for x, w in pairs:
        product = work.mine(x, w, NO_ANCHOR, 0).product
        if product is None:
            raise InosError("stopped", "the product was stopped")
        yield product


def _multiply_stacks(a: NDArray[Any], b: NDArray[Any], accuracy: float | None, engine: Engine) -> NDArray[Any]:
    """Multiply the last two axes and broadcast the others, as numpy.matmul does."""
    try:
        outer = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    except ValueError as error:
        raise BadOperand("bad-shape", f"{a.shape} and {b.shape} cannot be broadcast together") from error
    kind = np.dtype(np.int64) if accuracy is None else np.result_type(a, b)
    a, b = np.broadcast_to(a, outer + a.shape[-2:]), np.broadcast_to(b, outer + b.shape[-2:])
    product = np.zeros((*outer, a.shape[-2], b.shape[-1]), kind)
    for index in np.ndindex(*outer):
        _multiply_blocks(a[index], b[index].T, accuracy, engine, product[index])
    return product


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
                hi, lo = multiply_floats(
                    x.astype(np.float64), w.astype(np.float64), engine, accuracy=accuracy, scout=_multiply_here
                )
                with np.errstate(over="ignore"):
                    block[...] = hi + lo


def _to_array(value: Any, name: str) -> NDArray[Any]:
    """Return `value` as a numpy array of finite numbers."""
    if _is_torch(value):
        value = value.detach().cpu()
        value = value.float().numpy() if str(value.dtype) in ("torch.bfloat16", "torch.float16") else value.numpy()
    array = np.asarray(value)
    if array.dtype == np.float16:
        array = array.astype(np.float32)
    if array.dtype.kind not in "iu" and array.dtype not in DEFAULT_ACCURACY:
        raise BadOperand(
            "bad-dtype",
            f"{name} holds {array.dtype}",
            hint="float32, float64 and integers can be multiplied; convert it with .astype()",
        )
    if array.dtype == np.uint64 and array.size and array.max() > np.iinfo(np.int64).max:
        raise BadOperand("bad-dtype", f"{name} holds entries beyond signed 64-bit integers")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        entry = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        what = "NaN" if np.isnan(array[entry]) else "infinite"
        raise BadOperand(
            "not-finite", f"{name}{list(entry)} is {what}", hint="only finite numbers have an exact product"
        )
    return array


def _check_accuracy(accuracy: float | None, a: NDArray[Any], b: NDArray[Any]) -> float | None:
    """Return the accuracy to keep; None for integers."""
    kind = np.result_type(a, b)
    if accuracy is not None and not FINEST <= accuracy <= 1:
        raise BadOperand("bad-accuracy", f"an accuracy lies in 2^-100 .. 1, and this one is {accuracy!r}")
    if a.dtype.kind in "iu" and b.dtype.kind in "iu":
        if accuracy is not None:
            raise BadOperand("bad-accuracy", "products of integers are exact; leave accuracy out")
        return None
    return DEFAULT_ACCURACY[kind] if accuracy is None else accuracy


def _is_torch(value: Any) -> bool:
    return type(value).__module__.split(".")[0] == "torch"


def _like(product: NDArray[Any], given: Any) -> Any:
    if not _is_torch(given):
        return product[()] if product.ndim == 0 else product
    import torch

    return torch.from_numpy(np.asarray(product)).to(given.device)
