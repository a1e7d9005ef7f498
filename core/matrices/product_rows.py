"""A miner makes large products on disk, slice by slice."""

from typing import Any, Final

from numpy.typing import NDArray

from inos.mesh.growing import GrowingMatrix
from inos.mesh.store import MatrixStore
from inos.primitives.matrices import DType, MatrixRef
from inos.primitives.units import JobId

PREFIX: Final = "job"


class ProductRows:
    """Holds one job's product. It is found again after a restart, whether it was being made or was stored. Opening
    reads it.

    Satisfies `inos.miner.ports.RowFile`.

    Raises:
        InvalidMatrix: no product has this shape. MeshError: "store-full", "disk-refuses".
    """

    def __init__(self, store: MatrixStore, job: JobId, rows: int, cols: int) -> None:
        self._store = store
        self._name = PREFIX + job.hex()
        self._rows = rows
        self._ref = store.growth.find_adopted(self._name)
        self._growing: GrowingMatrix | None = None
        if self._ref is None:
            self._growing = store.growth.open(self._name, DType.INT32, rows, cols)

    @property
    def rows_done(self) -> int:
        """Return the number of rows written, from the first one on."""
        return self._rows if self._growing is None else self._growing.rows_done

    def write(self, first: int, rows: NDArray[Any]) -> None:
        """Write the next rows, which begin at row `first`."""
        if self._growing is None:
            raise ValueError("the product is stored already")
        self._growing.write(first, rows)

    def finish(self) -> MatrixRef:
        """Store the product, and return its reference. May be repeated.

        Raises:
            ValueError: rows are missing. MeshError: "store-full", "disk-refuses".
        """
        if self._ref is None and self._growing is not None:
            self._ref = self._store.adopt(self._growing)
            self._growing = None
        if self._ref is None:
            raise ValueError("the product was dropped")
        return self._ref

    def drop(self) -> None:
        """Forget what is not stored, and close the file."""
        if self._growing is not None:
            self._growing.close()
        self._store.growth.drop(self._name)
