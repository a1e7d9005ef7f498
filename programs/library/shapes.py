"""Views that are needed often."""

from inos.programs.builder import Value


def transpose(x: Value) -> Value:
    """Return the transpose."""
    return x.builder.view(x, 0, [(x.cols, 1)], [(x.rows, x.cols)])


def reshape(x: Value, rows: int, cols: int) -> Value:
    """Return the same entries, row-major, with other dimensions."""
    return x.builder.view(x, 0, [(rows, cols)], [(cols, 1)])


def rows_of(x: Value, first: int, count: int) -> Value:
    """Return `count` rows from row `first` on."""
    return x.builder.view(x, first * x.cols, [(count, x.cols)], [(x.cols, 1)])
