"""The data directory is locked, belongs to one network, and is private."""

import contextlib
import os
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner

from inos.chain.database import Database, plyvel
from inos.cli.main import app
from inos.core.errors import NodeError
from inos.node.datadir import DataDir, load_or_make_secret, read_secret
from inos.primitives.units import BlockId

GENESIS = BlockId(bytes([1]) * 32)


def test_it_is_made_private_and_remembers_its_genesis(tmp_path: Path) -> None:
    with DataDir(tmp_path / "a" / "b", GENESIS) as data:
        assert stat.S_IMODE(data.path.stat().st_mode) == 0o700
        assert (data.path / "genesis").read_text().strip() == GENESIS.hex()
        assert (data.path / "lock").read_text().strip() == str(os.getpid())
    with DataDir(tmp_path / "a" / "b", GENESIS):
        pass


def test_a_second_node_is_refused_naming_the_process(tmp_path: Path) -> None:
    with DataDir(tmp_path, GENESIS):
        with pytest.raises(NodeError) as refused, DataDir(tmp_path, GENESIS):
            pass
        assert refused.value.code == "data-dir-in-use"
        assert str(os.getpid()) in refused.value.message
    with DataDir(tmp_path, GENESIS):
        pass


def test_another_genesis_is_refused_and_the_lock_given_back(tmp_path: Path) -> None:
    with DataDir(tmp_path, GENESIS):
        pass
    for _ in range(2):
        with pytest.raises(NodeError) as refused, DataDir(tmp_path, BlockId(bytes([2]) * 32)):
            pass
        assert refused.value.code == "other-genesis"
        assert "01" * 32 in refused.value.message
    with DataDir(tmp_path, GENESIS):
        pass


def write_old_ledger(path: Path, layout: bytes) -> None:
    """Write a database as protocol 1 left it, as far as the program reads it before refusing it."""
    database = plyvel.DB(str(path), create_if_missing=True)
    database.put(b"mschema", layout)
    database.put(b"mgenesis", bytes([2]) * 32)
    database.close()


@pytest.mark.parametrize("layout", [b"1", b"2", b"3"])
def test_a_directory_of_protocol_1_says_what_it_is_and_what_to_do(tmp_path: Path, layout: bytes) -> None:
    """A copy that `inos snapshot` made says so too, because it is a data directory."""
    (tmp_path / "genesis").write_text("02" * 32 + "\n")
    write_old_ledger(tmp_path / "ledger", layout)
    with pytest.raises(NodeError) as refused, DataDir(tmp_path, GENESIS):
        pass
    assert refused.value.code == "old-protocol"
    assert refused.value.message == f"{tmp_path} holds a chain of protocol 1, this program follows 2"
    assert "empty --data-dir" in refused.value.hint
    done = CliRunner().invoke(app, ["snapshot", str(tmp_path / "copy"), "--data-dir", str(tmp_path)])
    assert done.exit_code == 1
    assert "[old-protocol]" in done.output
    assert not (tmp_path / "copy").exists()
    assert (tmp_path / "genesis").read_text() == "02" * 32 + "\n"


def test_a_file_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NodeError) as refused, DataDir(tmp_path / "file", GENESIS):
        pass
    assert refused.value.code == "data-dir-unusable"


def test_secrets_are_made_once_and_private(tmp_path: Path) -> None:
    path = tmp_path / "node.key"
    secret = load_or_make_secret(path)
    assert len(secret) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_or_make_secret(path) == secret


@pytest.mark.parametrize(("text", "mode", "code"), [("zz", 0o600, "bad-key-file"), ("ab", 0o600, "bad-key-file")])
def test_a_file_that_is_no_secret_is_refused(tmp_path: Path, text: str, mode: int, code: str) -> None:
    path = tmp_path / "key"
    path.write_text(text)
    path.chmod(mode)
    with pytest.raises(NodeError) as refused:
        read_secret(path)
    assert refused.value.code == code


def test_a_secret_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("11" * 32)
    path.chmod(0o644)
    with pytest.raises(NodeError) as refused:
        read_secret(path)
    assert refused.value.code == "key-file-open"
    with pytest.raises(NodeError, match="cannot read"):
        read_secret(tmp_path / "none")


def test_a_folder_of_other_things_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"")
    tmp_path.chmod(0o755)
    with pytest.raises(NodeError) as error, DataDir(tmp_path, GENESIS):
        pass
    assert error.value.code == "data-dir-foreign"
    assert "holiday.jpg" in error.value.message
    assert (tmp_path.stat().st_mode & 0o777, [path.name for path in tmp_path.iterdir()]) == (0o755, ["holiday.jpg"])


def test_settings_keys_and_logs_may_lie_there_before_the_first_start(tmp_path: Path) -> None:
    for name in ("config.toml", "voter.key", "genesis.json", "node.log"):
        (tmp_path / name).write_text("")
    with DataDir(tmp_path, GENESIS):
        assert (tmp_path / "genesis").exists()


def test_a_fresh_volume_is_no_foreign_folder(tmp_path: Path) -> None:
    (tmp_path / "lost+found").mkdir()
    with DataDir(tmp_path, GENESIS) as data:
        assert data.path == tmp_path


def test_a_volume_that_another_user_owns_is_used_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o777)

    def refuse(path: Path, mode: int) -> None:
        raise PermissionError(1, "Operation not permitted", str(path))

    monkeypatch.setattr(Path, "chmod", refuse)
    with DataDir(tmp_path, GENESIS) as data:
        assert (data.path / "genesis").exists()


def test_a_name_that_is_no_text_can_hold_a_database(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9") / "ledger"
    with contextlib.closing(Database(path, is_durable=False)):
        pass
    with contextlib.closing(plyvel.DB(os.fsencode(path))) as database:
        assert not list(database)
