"""`inos worker`: what it is given is checked before it connects."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from inos.cli.main import app
from inos.cli.worker import parse_address, parse_line, parse_size
from inos.primitives.units import Address
from inos.wallet.addresses import encode_address
from inos.workers.client.client import make_url
from inos.workers.errors import WorkerError


def test_sizes_lines_and_addresses() -> None:
    assert [parse_size(text) for text in ("0", "512", "2GiB", "3 MiB")] == [0, 512, 2 << 30, 3 << 20]
    assert parse_line("100/20") == (12_500_000, 2_500_000)
    for prefix in ("dinos", "inos"):
        address = Address(bytes(range(20)))
        assert parse_address(encode_address(prefix, address)) == address


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ((), "either a fleet's token or an address"),
        (("--token-file", "f", "--pay", "dinos1"), "either a fleet's token or an address"),
        (("--pay", "dinos1x"), "dinos1x"),
        (("--token-file", "missing"), "missing"),
        (("--token-file", "TOKEN", "--piece", "2 apples"), "is no size"),
        (("--token-file", "TOKEN", "--line", "fast"), "is no line"),
        (("--token-file", "TOKEN", "--log-level", "loud"), "loud"),
        (("--token-file", "TOKEN", "--backend", "abacus"), "there is no backend"),
    ],
)
def test_wrong_options_are_refused_with_the_reason(tmp_path: Path, options: tuple[str, ...], reason: str) -> None:
    token = tmp_path / "fleet.token"
    token.write_text("ab" * 32)
    token.chmod(0o600)
    given = [str(token) if option == "TOKEN" else option for option in options]
    result = CliRunner().invoke(app, ["worker", "--join", "http://127.0.0.1:1", *given])
    assert result.exit_code == 1
    assert reason in result.stderr + result.stdout


def test_addresses_of_nodes() -> None:
    assert make_url("http://127.0.0.1:8645") == "ws://127.0.0.1:8645/work"
    assert make_url("https://pool.example/") == "wss://pool.example/work"
    assert make_url("127.0.0.1:8645") == "ws://127.0.0.1:8645/work"
    for wrong in ("", "ftp://x", "http://"):
        with pytest.raises(WorkerError):
            make_url(wrong)
