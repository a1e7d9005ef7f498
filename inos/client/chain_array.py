"""`inos.array`: a numpy array whose products run where `inos.matmul` runs them.

Everything else is numpy's, and runs here. numpy's functions that are products of matrices are brought to `inos.matmul`
by `inos.client.array_products`.
"""

from collections.abc import Callable, Mapping
from inspect import signature
from typing import Any, Final, Self

import numpy as np

from inos.client.array_products import FUNCTIONS, UFUNCS, Multiply, refuse_options
from inos.client.arrays import to_plain
from inos.client.matmul import matmul

OPTIONS: Final = frozenset(signature(matmul).parameters) - {"a", "b", "out"}


class Array(np.ndarray[Any, Any]):
    """A numpy array that knows how its products are made: `inos.array(a, client=client) @ b`.

    What numpy makes of it, such as slices, sums of rows, or products, is an Array with the same options.
    `numpy.asarray` returns a plain array of the same memory, and a copy from a pickle is a plain array too.
    """

    __array_priority__ = 1000.0  # otherwise a sparse matrix on the right multiplies in its own way
    _options: Mapping[str, Any]

    def __array_finalize__(self, made_of: Any) -> None:
        self._options = getattr(made_of, "_options", {})

    def __array_ufunc__(self, ufunc: np.ufunc, method: Any, *inputs: Any, **options: Any) -> Any:
        if ufunc in UFUNCS:
            out = options.pop("out", None)
            if options.get("axis") == -1:  # which numpy.linalg.vecdot gives
                del options["axis"]
            refuse_options(ufunc.__name__, options if method == "__call__" else {method: None})
            return self._wrap(UFUNCS[ufunc](self._make_multiply(), *map(_unwrap, inputs)), out)
        outs = options.get("out")
        if outs is not None:
            options["out"] = tuple(map(_unwrap, outs))
        made = getattr(ufunc, method)(*map(_unwrap, inputs), **options)
        if outs is not None:
            return outs[0] if len(outs) == 1 else outs
        return self._wrap_all(made)

    def __array_function__(self, function: Callable[..., Any], types: Any, args: Any, kwargs: Any) -> Any:
        if function not in FUNCTIONS:
            made = super().__array_function__(function, types, args, kwargs)
            return made if made is kwargs.get("out") else self._wrap_all(made)
        out = kwargs.pop("out", None)
        made = FUNCTIONS[function](self._make_multiply(), *map(_unwrap, args), **kwargs)
        return self._wrap(made, None if out is None else (out,))

    def __imatmul__(self, other: Any) -> Self:  # type: ignore[misc]  # numpy's takes integers and floats only
        self[...] = self @ other
        return self

    def dot(self, other: Any, out: Any = None) -> Any:
        """Return the product as `numpy.dot` does."""
        return np.dot(self, other, out=out)

    def __reduce__(self) -> Any:
        return np.asarray(self).__reduce__()

    def _make_multiply(self) -> Multiply:
        return lambda a, b: matmul(a, b, **self._options)

    def _wrap_all(self, made: Any) -> Any:
        """Return what a function of numpy made, with this one's options: numpy joins arrays without looking at them."""
        return type(made)(map(self._wrap, made)) if type(made) in (list, tuple) else self._wrap(made)

    def _wrap(self, value: Any, outs: tuple[Any, ...] | None = None) -> Any:
        """Return a new array as an Array with the options of this one, or written to where it is wanted."""
        if outs is not None and outs[0] is not None:
            outs[0][...] = value
            return outs[0]
        if type(value) not in (np.ndarray, Array):
            return value
        array = value.view(Array)
        array._options = self._options
        return array


def array(values: Any, **options: Any) -> Array:
    """Return an array whose products are made by `inos.matmul` with these options.

    It shares the memory of `values` if that is an array.

    Args:
        values: what `numpy.asarray` takes; tables of pandas are for `inos.matmul`, which keeps their labels.
        options: those of `inos.matmul`, such as client, engine, accuracy, max_cost; none multiplies on this machine.

    Raises:
        BadOperand: "labelled", "masked", "too-sparse". TypeError: `inos.matmul` has no such option.
    """
    unknown = options.keys() - OPTIONS
    if unknown:
        raise TypeError(f"inos.array has no option {sorted(unknown)[0]!r}; those of inos.matmul are {sorted(OPTIONS)}")
    made = np.asarray(to_plain(values, "the array")).view(Array)
    made._options = options
    return made


def _unwrap(value: Any) -> Any:
    return np.asarray(value) if isinstance(value, Array) else value
