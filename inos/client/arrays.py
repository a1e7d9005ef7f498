"""What `inos.matmul` accepts as a matrix: everything with an exact form as float32, float64 or 64-bit integers."""

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from inos.client.operands import BadOperand, refuse_masked

MAX_FILLED_IN: Final = 1 << 26
"""A sparse matrix is filled in up to so many entries, half a GiB as float64."""
FLOATS: Final = (np.dtype(np.float32), np.dtype(np.float64))
ADVICE: Final = {
    "c": "multiply real and imaginary parts: (a.real @ b.real - a.imag @ b.imag) and so on",
    "f": "convert it with .astype(numpy.float64), which rounds its entries",
    "m": "convert it to numbers first, such as seconds: a / numpy.timedelta64(1, 's')",
    "M": "convert it to numbers first, such as seconds: (a - a.min()) / numpy.timedelta64(1, 's')",
    "U": "convert text to numbers: a.astype(numpy.float64)",
    "S": "convert text to numbers: a.astype(numpy.float64)",
    "V": "pick one field of the structured array: a['name']",
}
"""What to do with an array that has no exact form, by the kind of its dtype."""


def to_plain(value: Any, name: str) -> NDArray[Any]:
    """Return `value` as a numpy array of any type, from which nothing that counts is dropped.

    Raises:
        BadOperand: "masked", "labelled", "too-sparse", "bad-shape" for rows of different lengths.
    """
    if is_torch(value):
        value = value.detach().cpu()
        value = value.float().numpy() if str(value.dtype) in ("torch.bfloat16", "torch.float16") else value.numpy()
    if hasattr(value, "toarray"):  # every sparse matrix of scipy
        value = _fill_in(value, name)
    refuse_masked(value, name)
    _refuse_labels(value, name)
    try:
        return np.asarray(value)
    except ValueError as error:  # numpy's words for lists of different lengths
        raise BadOperand("bad-shape", f"{name} is no array: {error}", hint="give all rows the same length") from error


def to_array(value: Any, name: str) -> NDArray[Any]:
    """Return `value` as a numpy array of booleans, integers, float32 or float64, all finite, in native byte order.

    Raises:
        BadOperand: "bad-dtype" with what to do about it, "not-finite" naming the entry, and what `to_plain` refuses.
    """
    array = to_plain(value, name)
    if array.dtype == object:
        array = _read_objects(array, name)
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    if array.dtype == np.float16:
        array = array.astype(np.float32)
    if array.dtype.kind not in "biu" and array.dtype not in FLOATS:
        raise BadOperand("bad-dtype", f"{name} holds {array.dtype}", hint=ADVICE.get(array.dtype.kind, ""))
    if array.dtype == np.uint64 and array.size and array.max() > np.iinfo(np.int64).max:
        text = f"{name} holds entries beyond signed 64-bit integers"
        raise BadOperand("bad-dtype", text, hint="convert it with .astype(numpy.float64), which rounds its entries")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        entry = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        what = "NaN" if np.isnan(array[entry]) else "infinite"
        hint = "only finite numbers have an exact product; replace the others first, such as by numpy.nan_to_num(a)"
        raise BadOperand("not-finite", f"{name}{list(entry)} is {what}", hint=hint)
    return array


def _fill_in(value: Any, name: str) -> Any:
    """Return a sparse matrix of scipy as a whole one, with its zeros.

    Raises:
        BadOperand: "too-sparse" if that takes more than MAX_FILLED_IN entries.
    """
    entries = math.prod(value.shape)
    if entries > MAX_FILLED_IN:
        raise BadOperand(
            "too-sparse",
            f"{name} is sparse, and has {entries:,} entries with its zeros, more than {MAX_FILLED_IN:,}",
            hint="multiply blocks of it; or pass a.toarray(), if there is memory for it",
        )
    return value.toarray()


def _refuse_labels(value: Any, name: str) -> None:
    """Refuse a table with labels: what goes by position would lose them.

    Raises:
        BadOperand: "labelled".
    """
    for axis in ("index", "columns", "coords"):
        labels = getattr(value, axis, None)
        if labels is None or callable(labels):  # lists have a method of that name
            continue
        found = list(labels)
        if found != list(range(len(found))):
            first = next(label for at, label in enumerate(found) if label != at)
            raise BadOperand(
                "labelled",
                f"{name} has labels, such as {first!r:.40}, and would lose them",
                hint="a.to_numpy() goes by position; inos.matmul keeps the labels of pandas' tables",
            )


def _read_objects(array: NDArray[Any], name: str) -> NDArray[Any]:
    """Return an array of Python objects, such as pandas makes of its nullable integers, as one of numbers."""
    for index, entry in np.ndenumerate(array):
        if not isinstance(entry, int | float | np.integer | np.floating | np.bool_):
            kind = type(entry).__name__
            missing = entry is None or kind in ("NAType", "NaTType")
            hint = "fill missing entries first: a.fillna(0)" if missing else "convert its entries to int or float"
            place = f"{name}{list(index)}" if index else name
            raise BadOperand("bad-dtype", f"{place} is a {kind}, not a number", hint=hint)
    if all(isinstance(entry, int | np.integer | np.bool_) for entry in array.flat):
        try:
            return array.astype(np.int64)
        except OverflowError as error:
            text = f"{name} holds entries beyond signed 64-bit integers"
            raise BadOperand("bad-dtype", text, hint="scale them down, or pass float64") from error
    return array.astype(np.float64)


def check_out(out: Any, shape: tuple[int, ...], kind: np.dtype[Any]) -> None:
    """Check the array that the caller wants the product in, before anything is multiplied.

    Raises:
        BadOperand: "bad-out" if it is no array of the product's shape, or cannot hold its type.
    """
    if isinstance(out, np.ndarray) and out.shape == shape and np.can_cast(kind, out.dtype, "same_kind"):
        return
    found = f"an array {out.shape} of {out.dtype}" if isinstance(out, np.ndarray) else f"a {type(out).__name__}"
    text = f"out is {found}, and the product is {shape} of {kind}"
    raise BadOperand("bad-out", text, hint=f"make it with numpy.empty({shape}, numpy.{kind})")


def is_torch(value: Any) -> bool:
    """Return whether a value is a torch tensor, without importing torch."""
    return type(value).__module__.split(".")[0] == "torch"
