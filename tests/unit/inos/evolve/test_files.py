from pathlib import Path
from typing import Any

import pytest

from inos.client.errors import RemoteError
from inos.evolve.errors import InvalidRecord, Missing
from inos.evolve.files import ChainedFiles, Files, FolderFiles, MemoryFiles, MeshFiles
from inos.work.files import compute_file_id

DATA = b"some bytes" * 200


@pytest.fixture(params=["folder", "memory"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> Files:
    return FolderFiles(tmp_path / "files") if request.param == "folder" else MemoryFiles()


def test_a_file_is_found_by_its_id_up_to_the_limit(files: Files) -> None:
    id = files.put(DATA)
    assert id == compute_file_id(DATA)
    assert files.get(id, len(DATA), "it") == DATA
    with pytest.raises(InvalidRecord) as caught:
        files.get(id, len(DATA) - 1, "it")
    assert caught.value.code == "file-too-large"
    with pytest.raises(Missing) as missing:
        files.get(bytes(32), 10, "the genome")
    assert missing.value.file == bytes(32)


def test_a_damaged_file_counts_as_missing_and_is_written_again(tmp_path: Path) -> None:
    files = FolderFiles(tmp_path)
    id = files.put(DATA)
    (tmp_path / id.hex()).write_bytes(DATA[:-1])
    with pytest.raises(Missing, match="damaged"):
        files.get(id, 10**6, "it")
    files.put(DATA)
    assert files.get(id, 10**6, "it") == DATA


def test_several_places_are_read_in_turn_and_the_first_is_written(tmp_path: Path) -> None:
    first, second, third = FolderFiles(tmp_path), MemoryFiles(), MemoryFiles()
    id = third.put(DATA)
    files = ChainedFiles(first, second, third)
    assert files.get(id, 10**6, "it") == DATA
    files.put(b"new")
    assert first.get(bytes(compute_file_id(b"new")), 10, "it") == b"new"
    with pytest.raises(Missing):
        second.get(bytes(compute_file_id(b"new")), 10, "it")
    with pytest.raises(Missing):
        files.get(bytes(32), 10, "it")


class Node:
    """Takes the place of a client: the length that it names is that of a large file, and it counts what is fetched."""

    def __init__(self, rows: int, dtype: str = "bytes", code: str = "") -> None:
        self.rows, self.dtype, self.code, self.fetched = rows, dtype, code, 0

    def call(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        if self.code:
            raise RemoteError(-1, self.code, "no")
        return {"rows": self.rows, "cols": 1024, "dtype": self.dtype}

    def get_bytes(self, file: str, *, wait_s: float) -> bytes:
        self.fetched += 1
        return bytes(self.rows * 1024)


def test_what_is_too_long_or_no_file_is_not_fetched_from_the_mesh() -> None:
    for node in (Node(2**20), Node(1, "int7")):
        with pytest.raises(InvalidRecord):
            MeshFiles(node).get(bytes(32), 1 << 20, "it")  # type: ignore[arg-type]
        assert node.fetched == 0
    small = Node(2)
    assert MeshFiles(small).get(bytes(32), 1 << 20, "it") == bytes(2048)  # type: ignore[arg-type]


def test_what_no_node_has_is_missing_and_other_refusals_are_told() -> None:
    with pytest.raises(Missing):
        MeshFiles(Node(1, code="matrix-unknown")).get(bytes(32), 10, "it")  # type: ignore[arg-type]
    with pytest.raises(RemoteError):
        MeshFiles(Node(1, code="overloaded")).get(bytes(32), 10, "it")  # type: ignore[arg-type]
