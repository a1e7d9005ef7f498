"""Tests what a node stores about others, and how settings tell it to find them."""

from pathlib import Path

from inos.node.network_files import NetworkFiles


async def test_files_come_back_whole_and_private(tmp_path: Path) -> None:
    files = NetworkFiles(tmp_path / "network")
    assert await files.read("addresses", 100) is None
    assert await files.write("addresses", b"first")
    assert await files.write("addresses", b"second")
    assert await files.read("addresses", 100) == b"second"
    assert (tmp_path / "network" / "addresses").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (tmp_path / "network").iterdir()] == ["addresses"]
    assert await files.read("addresses", 5) is None, "longer than it may be"


async def test_a_half_written_file_beside_is_no_harm(tmp_path: Path) -> None:
    files = NetworkFiles(tmp_path)
    await files.write("bans", b"whole")
    (tmp_path / "bans.new").write_bytes(b"ha")
    assert await files.read("bans", 100) == b"whole"
    assert await files.write("bans", b"next")
    assert await files.read("bans", 100) == b"next"


async def test_a_folder_in_the_file_s_place_is_survived(tmp_path: Path) -> None:
    (tmp_path / "bans").mkdir()
    files = NetworkFiles(tmp_path)
    assert await files.read("bans", 100) is None
    assert not await files.write("bans", b"x")
