"""The folder of compiled modules: private, checked, bounded, and never more than a cache."""

import os
import shutil
from pathlib import Path

import pytest

from inos.functions import HostFailed, ModuleCache


def test_what_was_put_is_found_again(tmp_path: Path) -> None:
    cache = ModuleCache(tmp_path / "a" / "cache")
    assert cache.get(b"module") is None
    cache.put(b"module", b"compiled")
    assert ModuleCache(tmp_path / "a" / "cache").get(b"module") == b"compiled"
    assert cache.get(b"other") is None


def test_folder_and_files_belong_to_their_user_alone(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        cache = ModuleCache(tmp_path / "cache")
        cache.put(b"module", b"compiled")
    finally:
        os.umask(old)
    (file,) = (tmp_path / "cache").iterdir()
    assert ((tmp_path / "cache").stat().st_mode & 0o777, file.stat().st_mode & 0o777) == (0o700, 0o600)


@pytest.mark.parametrize("mode", [0o701, 0o710, 0o720, 0o702, 0o755, 0o777])
def test_a_folder_that_others_may_use_is_refused(tmp_path: Path, mode: int) -> None:
    folder = tmp_path / "cache"
    folder.mkdir()
    folder.chmod(mode)
    with pytest.raises(HostFailed, match="chmod 700") as failed:
        ModuleCache(folder)
    assert failed.value.code == "cache-not-private"


def test_a_link_or_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "file").write_bytes(b"")
    for name in ("link", "file"):
        with pytest.raises(HostFailed) as failed:
            ModuleCache(tmp_path / name)
        assert failed.value.code == "cache-not-private"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    folder.mkdir(mode=0o700)
    os.chown(folder, 65534, 65534)
    with pytest.raises(HostFailed) as failed:
        ModuleCache(folder)
    assert failed.value.code == "cache-not-private"


@pytest.mark.parametrize("place", [0, 31, 32, -1])
def test_a_damaged_file_is_not_used(tmp_path: Path, place: int) -> None:
    cache = ModuleCache(tmp_path / "cache")
    cache.put(b"module", b"compiled")
    (file,) = (tmp_path / "cache").iterdir()
    data = bytearray(file.read_bytes())
    data[place] ^= 1
    file.write_bytes(data)
    assert cache.get(b"module") is None
    for cut in (b"", bytes(data[:20]), bytes(data[:-1])):
        file.write_bytes(cut)
        assert cache.get(b"module") is None


def test_a_link_in_place_of_a_file_is_not_followed(tmp_path: Path) -> None:
    cache = ModuleCache(tmp_path / "cache")
    cache.put(b"module", b"compiled")
    (file,) = (tmp_path / "cache").iterdir()
    file.rename(tmp_path / "elsewhere")
    file.symlink_to(tmp_path / "elsewhere")
    assert cache.get(b"module") is None


def test_what_was_not_used_for_longest_is_deleted_first(tmp_path: Path) -> None:
    cache = ModuleCache(tmp_path / "cache", quota_bytes=3 * 132)
    for number, name in enumerate((b"a", b"b", b"c")):
        cache.put(name, name * 100)
        (file,) = [path for path in (tmp_path / "cache").iterdir() if path.stat().st_mtime > 1000]
        os.utime(file, (number, number))
    assert cache.get(b"a") is not None  # it is used now
    cache.put(b"d", b"d" * 100)
    assert [cache.get(name) is not None for name in (b"a", b"b", b"c", b"d")] == [True, False, True, True]


def test_a_vanished_folder_costs_no_more_than_compiling(tmp_path: Path) -> None:
    cache = ModuleCache(tmp_path / "cache")
    shutil.rmtree(tmp_path / "cache")
    cache.put(b"module", b"compiled")
    assert cache.get(b"module") is None
