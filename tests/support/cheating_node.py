"""A node whose miner increases one entry of every product on disk by one and is otherwise unchanged.

Its name is put before a node's command: `python -m support.cheating_node python -m inos node ...`
"""

import sys
from typing import Any, Final

from numpy.typing import NDArray

from inos.cli.main import main
from inos.core.matrices.product_rows import ProductRows

ROW: Final = 1234
COLUMN: Final = 777


def spoil(first: int, rows: NDArray[Any]) -> NDArray[Any]:
    """Make the slice, then change one entry."""
    if first <= ROW < first + len(rows):
        rows = rows.copy()
        rows[ROW - first, COLUMN] += 1
    return rows


if __name__ == "__main__":
    keep = ProductRows.write
    ProductRows.write = lambda self, first, rows: keep(self, first, spoil(first, rows))  # type: ignore[method-assign]
    del sys.argv[1 : sys.argv.index("inos") + 1]
    main()
