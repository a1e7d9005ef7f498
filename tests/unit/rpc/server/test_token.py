"""The token file is created once, is private, is never written in part, and is compared in constant time."""

import stat
from pathlib import Path

import pytest

from inos.rpc.errors import RpcError
from inos.rpc.server.token import is_authorized, load_or_create_token


def test_the_token_is_made_once_and_private(tmp_path: Path) -> None:
    path = tmp_path / "rpc.token"
    token = load_or_create_token(path)
    assert len(token) == 64
    assert set(token) <= set("0123456789abcdef")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_or_create_token(path) == token
    assert load_or_create_token(tmp_path / "other") != token


@pytest.mark.parametrize("content", ["", "short", "g" * 64, "a" * 65])
def test_a_damaged_token_file_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "rpc.token"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(RpcError) as caught:
        load_or_create_token(path)
    assert caught.value.code == "token-damaged"
    assert path.read_text() == content


def test_a_token_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RpcError) as caught:
        load_or_create_token(tmp_path / "missing" / "rpc.token")
    assert caught.value.code == "token-unreadable"


@pytest.mark.parametrize(
    ("header", "answer"),
    [
        ("Bearer abc", True),
        ("bearer abc", True),
        ("Bearer abd", False),
        ("Bearer ab", False),
        ("Bearer abcd", False),
        ("Bearer ", False),
        ("Basic abc", False),
        ("abc", False),
        ("", False),
        ("Bearer äbc", False),
        ("Bearer  abc ", True),
        ("Bearer ab\udcff", False),
        ("\udcff abc", False),
    ],
)
def test_only_the_right_token_is_authorized(header: str, answer: bool) -> None:
    assert is_authorized(header, "abc") is answer
