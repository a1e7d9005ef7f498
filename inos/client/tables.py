"""Tables of pandas as operands: they meet by label, as in `DataFrame.dot`, and the product has labels again.

pandas is not imported: without it no value is a table.
"""

import sys
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from inos.client.operands import BadOperand

_AS_NUMBERS: Final = "leave it out: a.select_dtypes('number'), or make numbers of it: a.astype(float)"


def read_tables(a: Any, b: Any) -> "Tables | None":
    """Return two operands of which at least one is a DataFrame or Series of pandas; None if neither is.

    Raises:
        BadOperand: "misaligned" if A's columns and B's rows have not the same labels, "not-finite" and "bad-dtype"
            naming row and column of the first wrong entry, "bad-shape" for a stack of matrices beside a table.
    """
    pandas: Any = sys.modules.get("pandas")
    if not any(_is_table(pandas, each) for each in (a, b)):
        return None
    return Tables(pandas, a, b)


class Tables:
    """Two operands by position, and the labels of their product.

    Attributes:
        left, right: what is multiplied: arrays for tables, B's rows in the order of A's columns.
    """

    def __init__(self, pandas: Any, a: Any, b: Any) -> None:
        self._pandas = pandas
        self._rows = a.index if isinstance(a, pandas.DataFrame) else None
        self._columns = b.columns if isinstance(b, pandas.DataFrame) else None
        if _is_table(pandas, a) and _is_table(pandas, b):
            order = _align(a.columns if self._rows is not None else a.index, b.index)
            b = b if order is None else b.iloc[order]
        self.left, self.right = (
            _read_table(pandas, each, name) if _is_table(pandas, each) else each for each, name in ((a, "A"), (b, "B"))
        )
        for each, name in ((self.left, "A"), (self.right, "B")):
            if np.ndim(each) > 2:
                text = f"{name} is a stack of matrices with {np.ndim(each)} axes, and a table has two"
                raise BadOperand("bad-shape", text, hint="multiply them one by one, or pass the table's .to_numpy()")

    def label(self, product: Any) -> Any:
        """Return the product with A's rows and B's columns as labels; without such labels it stays an array."""
        rows, columns = self._rows, self._columns
        if rows is None and columns is None:
            return product
        if product.ndim == 2:
            return self._pandas.DataFrame(product, rows, columns)
        return self._pandas.Series(product, columns if rows is None else rows)


def _is_table(pandas: Any, value: Any) -> bool:
    return pandas is not None and isinstance(value, pandas.DataFrame | pandas.Series)


def _align(columns: Any, rows: Any) -> NDArray[np.intp] | None:
    """Return where each of A's columns is among B's rows; None if they are in the same order.

    Raises:
        BadOperand: "misaligned".
    """
    if columns.equals(rows):
        return None
    hint = "rename or leave out labels until they are the same; a.to_numpy() and b.to_numpy() multiply by position"
    for labels, name in ((columns, "columns of A"), (rows, "rows of B")):
        if not labels.is_unique:
            label = labels[labels.duplicated()][0]
            raise BadOperand("misaligned", f"the label {label!r:.60} is twice among the {name}", hint=hint)
    order: NDArray[np.intp] = rows.get_indexer(columns)
    if (order < 0).any():
        label = columns[int(np.argmax(order < 0))]
        raise BadOperand("misaligned", f"A has a column {label!r:.60}, and B no row of that label", hint=hint)
    if len(rows) > len(columns):
        label = rows[int(np.argmax(columns.get_indexer(rows) < 0))]
        raise BadOperand("misaligned", f"B has a row {label!r:.60}, and A no column of that label", hint=hint)
    return order


def _read_table(pandas: Any, table: Any, name: str) -> NDArray[Any]:
    """Return a table's numbers, of the narrowest type that holds all of its columns.

    pandas itself rounds int64 beside uint64 to floats, and makes objects of whole numbers that might be missing.
    """
    kinds = {table.dtype} if table.ndim == 1 else set(table.dtypes)
    if len(kinds) == 1 and isinstance(kinds.pop(), np.dtype):
        array: NDArray[Any] = table.to_numpy()
        if array.dtype.kind in "biu" or (array.dtype.kind == "f" and not np.isnan(array).any()):
            return array
    columns = [table] if table.ndim == 1 else [table.iloc[:, at] for at in range(table.shape[1])]
    for at, column in enumerate(columns):
        place = name if table.ndim == 1 else f"column {table.columns[at]!r:.60} of {name}"
        if not pandas.api.types.is_numeric_dtype(column.dtype) and column.dtype != object:
            raise BadOperand("bad-dtype", f"{place} holds {column.dtype}, not numbers", hint=_AS_NUMBERS)
        missing = column.isna()
        if missing.any():
            label = table.index[int(np.argmax(missing.to_numpy()))]
            raise BadOperand("not-finite", f"{place} has no number in row {label!r:.60}", hint="fill it: a.fillna(0)")
    if not columns:
        return np.empty(table.shape)
    arrays = [_read_column(column) for column in columns]
    kind = np.result_type(*arrays)
    if kind.kind == "f" and all(array.dtype.kind in "biu" for array in arrays):
        kind = np.dtype(object)  # int64 beside uint64: `to_array` takes them if they fit int64
    return arrays[0] if table.ndim == 1 else np.stack([array.astype(kind) for array in arrays], axis=1)


def _read_column(column: Any) -> NDArray[Any]:
    """Return a column without missing entries in the type of its numbers, also if pandas wraps that."""
    kind = getattr(column.dtype, "numpy_dtype", getattr(column.dtype, "subtype", None))
    array: NDArray[Any] = column.to_numpy() if kind is None else column.to_numpy(dtype=kind)
    return array
