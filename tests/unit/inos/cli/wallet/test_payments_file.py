"""Tests the file of payments: what it may look like, and that all its faults are told by line."""

from pathlib import Path

import pytest

from inos.cli.common.output import CommandError
from inos.cli.wallet.payments_file import read_payments
from inos.genesis import load_network
from inos.primitives.units import Address
from inos.wallet.addresses import encode_address

NETWORK = load_network("devnet")
A, B, C = (encode_address("dinos", Address(bytes([n]) * 20)) for n in (1, 2, 3))

TOO_MANY = "".join(f"{encode_address('dinos', Address(n.to_bytes(20, 'big')))},1\n" for n in range(257))


def read(tmp_path: Path, text: str | bytes) -> list[tuple[str, int]]:
    path = tmp_path / "payments.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return [(to, int(amount)) for to, amount in read_payments(path, NETWORK)]


@pytest.mark.parametrize(
    "text",
    [
        f"{A},1.5\n{B},0.001\n",
        f"\ufeffaddress,amount\r\n{A},1.5\r\n\r\n{B},0.001",
        f'Address , Amount\n "{A}" , 1.50\n,\n{B},"0.001"\n'.replace(' "', '"').replace('" ', '"'),
        f"{A.upper()}, 1.5\n\n\n{B} ,.001\n".replace(".001", "0.001"),
    ],
)
def test_files_that_are_read(text: str, tmp_path: Path) -> None:
    assert read(tmp_path, text) == [(A, 1_500_000_000), (B, 1_000_000)]


def test_all_faults_are_told_with_their_lines(tmp_path: Path) -> None:
    text = f"{A},1\n{B}\n{B},0.000999999\n{B},one\n{A},2\nbob,1\n{C},1,lunch\n{C},0\n{C},20000000000\n"
    with pytest.raises(CommandError) as caught:
        read(tmp_path, text)
    assert caught.value.code == "bad-payments-file"
    faults = caught.value.message.split(": ", 1)[1].split("; line ")
    assert [fault.removeprefix("line ").split(":")[0] for fault in faults] == ["2", "3", "4", "5", "6", "7", "8", "9"]
    assert "is that of line 1" in faults[3]
    assert "less than the least payment, 0.001" in faults[1]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no payment"),
        ("address,amount\n", "no payment"),
        (b"\xff\xfe", "not text"),
        (b"x" * (1 << 20) + b"x", "more than"),
        (f'{A},"1.5\n', "line 1"),
        (TOO_MANY, "257 payments"),
        ("x,1\n" * 12, "and 2 more"),
    ],
)
def test_files_that_are_refused(text: str | bytes, told: str, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=told) as caught:
        read(tmp_path, text)
    assert caught.value.code == "bad-payments-file"


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CommandError) as caught:
        read_payments(tmp_path / "none.csv", NETWORK)
    assert caught.value.code == "file-unreadable"
