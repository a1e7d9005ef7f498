"""Files with secrets, as editors and systems leave them, and every program that reads one."""

from pathlib import Path

import pytest

from inos.cli.common import remote, wallets
from inos.node.datadir import read_secret
from inos.primitives.secret_files import SecretFileError, read_secret_text
from inos.rpc.errors import RpcError
from inos.rpc.server.token import read_token

SECRET = "correct horse"
AS_WRITTEN = (b"%s", b"%s\n", b"%s\r\n", b"%s\n\n", b"%s\r\n\r\n\n", b"\xef\xbb\xbf%s", b"\xef\xbb\xbf%s\r\n")
REFUSED = {
    b"": "empty-secret",
    b"\n": "empty-secret",
    b" \r\n": "empty-secret",
    b"\xef\xbb\xbf": "empty-secret",
    b" correct horse\n": "secret-blanks",
    b"correct horse \r\n": "secret-blanks",
    b"correct horse\t": "secret-blanks",
    b"correct\nhorse\n": "secret-lines",
    b"\ncorrect horse": "secret-lines",
    b"correct\rhorse": "secret-lines",
    b"\xff\xfec\0o\0r\0": "file-unreadable",
    b"c\0o\0r\0": "file-unreadable",
    b"x" * 4097: "file-unreadable",
}


def write(path: Path, data: bytes, mode: int = 0o600) -> Path:
    path.write_bytes(data)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("layout", AS_WRITTEN)
def test_marks_and_line_ends_are_no_part_of_any_secret(layout: bytes, tmp_path: Path) -> None:
    path = write(tmp_path / "password", layout % SECRET.encode())
    assert read_secret_text(path, "password", are_blanks_meant=True) == SECRET
    assert wallets.read_password(path, confirm=False) == SECRET
    digits = b"0f" * 32
    path = write(tmp_path / "key", layout % digits)
    assert read_secret(path).hex().encode() == digits
    assert read_token(path).encode() == digits
    found = remote.read_token(path, None)
    assert found is not None
    assert found.encode() == digits
    words = write(tmp_path / "phrase", layout % b" one two\r\nthree ")
    assert wallets.read_secret_file(words, "recovery phrase", are_blanks_meant=False) == "one two three"


@pytest.mark.parametrize("data", REFUSED)
def test_what_might_be_read_otherwise_elsewhere_is_refused(data: bytes, tmp_path: Path) -> None:
    path = write(tmp_path / "password", data)
    with pytest.raises(SecretFileError) as caught:
        read_secret_text(path, "password", are_blanks_meant=True)
    assert caught.value.code == REFUSED[data]
    assert str(path) in caught.value.message


def test_a_token_that_all_users_may_read_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "rpc.token", b"0f" * 32, 0o640)
    assert read_token(path) == "0f" * 32
    for mode in (0o604, 0o644, 0o602):
        path.chmod(mode)
        with pytest.raises(RpcError) as caught:
            read_token(path)
        assert caught.value.code == "token-open"
        assert "delete the file" in caught.value.hint
