"""Files by their id: in a folder of this machine, and in the mesh behind a node."""

from pathlib import Path
from typing import Any, Final, Protocol

from inos.client.blocking_client import BlockingClient
from inos.client.errors import RemoteError
from inos.evolve.errors import InvalidRecord, Missing
from inos.primitives.atomic_files import replace_file
from inos.primitives.matrices import compute_file_length
from inos.work.files import compute_file_id

MAX_FILE_BYTES: Final = 64 << 20
"""Programs, data and genomes that are larger are refused."""
MESH_WAIT_S: Final = 5.0
MISSING_CODES: Final = frozenset({"matrix-unknown", "matrix-missing", "matrix-incomplete", "timeout"})


class Files(Protocol):
    """Where islands read and write files."""

    def get(self, file: bytes, limit: int, what: str) -> bytes:
        """Return the bytes of a file.

        Raises:
            Missing: it is not at hand. InvalidRecord: "file-too-large" above `limit` bytes.
        """

    def put(self, data: bytes) -> bytes:
        """Keep a file; return its id."""


class FolderFiles:
    """Files in a folder, each named by its id. A file whose bytes have another id counts as missing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, file: bytes, limit: int, what: str) -> bytes:
        try:
            with (self.folder / file.hex()).open("rb") as stream:
                data = stream.read(limit + 1)
        except OSError:
            raise Missing(file, what) from None
        if len(data) > limit:
            raise _make_too_large(file, what, limit)
        if compute_file_id(data) != file:
            raise Missing(file, f"{what} is damaged in {self.folder} and")
        return data

    def put(self, data: bytes) -> bytes:
        file = bytes(compute_file_id(data))
        path = self.folder / file.hex()
        if not path.exists() or path.stat().st_size != len(data):
            self.folder.mkdir(parents=True, exist_ok=True)
            replace_file(path, data)
        return file


class MemoryFiles:
    """Files in memory, for notebooks and for records that are looked at and not kept."""

    def __init__(self) -> None:
        self._files: dict[bytes, bytes] = {}

    def get(self, file: bytes, limit: int, what: str) -> bytes:
        if file not in self._files:
            raise Missing(file, what)
        if len(self._files[file]) > limit:
            raise _make_too_large(file, what, limit)
        return self._files[file]

    def put(self, data: bytes) -> bytes:
        file = bytes(compute_file_id(data))
        self._files[file] = data
        return file


class ChainedFiles:
    """Files of several places: written to the first one, read from the first that has them."""

    def __init__(self, first: Files, *others: Files) -> None:
        self._first, self._others = first, others
        self.put = first.put

    def get(self, file: bytes, limit: int, what: str) -> bytes:
        for place in (self._first, *self._others[:-1]):
            try:
                return place.get(file, limit, what)
            except Missing:
                continue
        return (self._others[-1] if self._others else self._first).get(file, limit, what)


class MeshFiles:
    """Files in the mesh. The length is asked for before a file is fetched, so that nobody can fill the memory."""

    def __init__(self, client: BlockingClient, wait_s: float = MESH_WAIT_S) -> None:
        self._client, self._wait_s = client, wait_s

    def get(self, file: bytes, limit: int, what: str) -> bytes:
        try:
            params: dict[str, Any] = {"id": file.hex(), "first": 0, "count": 0, "wait_s": self._wait_s}
            shape = self._client.call("mesh_getRows", params)
            if compute_file_length(int(shape["rows"]), int(shape["cols"])) > limit or shape["dtype"] != "bytes":
                raise _make_too_large(file, what, limit)
            return self._client.get_bytes(file.hex(), wait_s=self._wait_s)
        except RemoteError as error:
            if error.code in MISSING_CODES:
                raise Missing(file, what) from error
            raise

    def put(self, data: bytes) -> bytes:
        return bytes(self._client.put_bytes(data).matrix_id)


def _make_too_large(file: bytes, what: str, limit: int) -> InvalidRecord:
    return InvalidRecord("file-too-large", f"{what}, {file.hex()}, is no file of at most {limit} bytes")
