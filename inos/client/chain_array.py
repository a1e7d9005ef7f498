"""`inos.array`: an array whose products run where `inos.matmul` runs them; everything else is numpy's."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin
from numpy.typing import NDArray

from inos.client.matmul import matmul

_PRODUCTS: Final = (np.dot,)
"""Functions that are products of matrices for arrays of one or two dimensions; `numpy.matmul` is a ufunc."""


class Array(NDArrayOperatorsMixin):
    """Numbers, and how their products are made: `inos.array(a, client=client) @ b`.

    A product with it is an Array too, with the same options; so is what numpy's functions make of it. `numpy.asarray`
    returns the numbers.
    """

    def __init__(self, values: Any, options: Mapping[str, Any]) -> None:
        self._values: NDArray[Any] = np.asarray(values)
        self._options = dict(options)

    @property
    def shape(self) -> tuple[int, ...]:
        return self._values.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self._values.dtype

    @property
    def ndim(self) -> int:
        return self._values.ndim

    @property
    def T(self) -> "Array":
        return Array(self._values.T, self._options)

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, key: Any) -> Any:
        return self._wrap(self._values[key])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self._values, dtype, copy=True) if copy else np.asarray(self._values, dtype)

    def __repr__(self) -> str:
        return f"inos.{self._values!r}"

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        if ufunc is np.matmul and method == "__call__" and not options:
            return self._multiply(*inputs)
        return self._wrap(getattr(ufunc, method)(*map(_unwrap, inputs), **options))

    def __array_function__(
        self, function: Callable[..., Any], types: Any, arguments: Any, options: Mapping[str, Any]
    ) -> Any:
        if function in _PRODUCTS and not options and all(np.ndim(_unwrap(each)) in (1, 2) for each in arguments):
            return self._multiply(*arguments)
        plain = [list(map(_unwrap, each)) if isinstance(each, list | tuple) else _unwrap(each) for each in arguments]
        return self._wrap(function(*plain, **options))

    def _multiply(self, a: Any, b: Any) -> Any:
        return self._wrap(matmul(_unwrap(a), _unwrap(b), **self._options))

    def _wrap(self, value: Any) -> Any:
        return Array(value, self._options) if isinstance(value, np.ndarray) else value


def array(values: Any, **options: Any) -> Array:
    """Return an array whose products are made by `inos.matmul` with these options.

    Args:
        values: what `numpy.asarray` takes.
        options: those of `inos.matmul`, such as client, engine, accuracy, max_cost; none multiplies on this machine.
    """
    return Array(values, options)


def _unwrap(value: Any) -> Any:
    return np.asarray(value) if isinstance(value, Array) else value
