"""Tests which node a command talks to if several sources name one."""

import json
import os
from pathlib import Path

import pytest

from inos.cli.common.options import DEFAULT_RPC
from inos.cli.common.output import CommandError
from inos.cli.common.remote import find_remote

NODE, TYPED, SET = "http://127.0.0.1:11", "http://127.0.0.1:12", "http://127.0.0.1:13"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "rpc.token").write_text("secret\n")
    (tmp_path / "node.json").write_text(json.dumps({"pid": os.getpid(), "rpc": NODE}))
    return tmp_path


@pytest.mark.parametrize(
    ("rpc", "has_rpc_variable", "has_folder_variable", "expected"),
    [
        (DEFAULT_RPC, False, False, NODE),
        (TYPED, False, False, TYPED),
        (SET, True, False, NODE),
        (SET, True, True, SET),
        (DEFAULT_RPC, False, True, NODE),
        (TYPED, True, True, TYPED),
    ],
)
def test_what_is_said_more_expressly_wins(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    rpc: str,
    has_rpc_variable: bool,
    has_folder_variable: bool,
    expected: str,
) -> None:
    for name, value, is_set in (("INOS_RPC", SET, has_rpc_variable), ("INOS_DATA_DIR", folder, has_folder_variable)):
        monkeypatch.delenv(name, raising=False)
        if is_set:
            monkeypatch.setenv(name, str(value))
    assert find_remote(rpc, None, folder) == (expected, "secret")


def test_where_no_node_runs_no_other_one_is_asked_in_its_place(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for text in ("", "[]", '{"pid": 1}', json.dumps({"pid": 2**22 + 1, "rpc": NODE})):
        (folder / "node.json").write_text(text)
        with pytest.raises(CommandError) as error:
            find_remote(DEFAULT_RPC, None, folder)
        assert error.value.code == "node-not-running"
    (folder / "light.json").write_text(json.dumps({"pid": os.getpid(), "rpc": NODE}))
    assert find_remote(DEFAULT_RPC, None, folder).url == NODE
    (folder / "light.json").unlink()
    monkeypatch.setenv("INOS_DATA_DIR", str(folder))
    assert find_remote(DEFAULT_RPC, None, folder).url == DEFAULT_RPC
    assert find_remote(TYPED, None, None) == (TYPED, None)
    (folder / "rpc.token").unlink()
    with pytest.raises(CommandError) as error:
        find_remote(DEFAULT_RPC, None, folder)
    assert error.value.code == "token-unreadable"
