"""The file of `inos wallet send-many`: one address and one amount a line, separated by a comma.

It is read whole, and all that is wrong with it is told at once, before anything is signed.
"""

import csv
import io
from pathlib import Path
from typing import Final

from msgspec import Struct

from inos.cli.common.output import fail
from inos.genesis import Network
from inos.primitives.payments import MAX_PAYMENTS, Payment
from inos.primitives.units import Nano, format_credits, parse_credits
from inos.wallet.addresses import decode_address, encode_address
from inos.wallet.errors import WalletError

MAX_FILE_BYTES: Final = 1 << 20
MAX_TOLD: Final = 10
HEADER: Final = ("address", "amount")


class _Line(Struct, frozen=True):
    number: int
    cells: list[str]


def read_payments(path: Path, network: Network) -> list[tuple[str, Nano]]:
    """Return the payments in a file, as addresses and nano.

    Empty lines and a first line "address,amount" are passed over.

    Raises:
        CommandError: "file-unreadable", "bad-payments-file" naming the first ten faults with their lines.
    """
    lines = _split(path, _read_text(path))
    payments: list[tuple[str, Nano]] = []
    faults: list[str] = []
    first_line: dict[bytes, int] = {}
    least = max(1, network.params.job_fee)
    for line in lines:
        try:
            payment = _read_line(line, network, least)
        except ValueError as error:
            faults.append(f"line {line.number}: {error}")
            continue
        if payment.to in first_line:
            faults.append(
                f"line {line.number}: the address is that of line {first_line[payment.to]}; add the amounts up"
            )
        first_line.setdefault(payment.to, line.number)
        payments.append((encode_address(network.hrp, payment.to), Nano(payment.amount)))
    if not lines:
        faults.append("it has no payment")
    if len(lines) > MAX_PAYMENTS:
        faults.append(f"it has {len(lines)} payments, and one transaction makes {MAX_PAYMENTS} at most; split it")
    if faults:
        more = f"; and {len(faults) - MAX_TOLD} more" if len(faults) > MAX_TOLD else ""
        fail("bad-payments-file", f"{path}: " + "; ".join(faults[:MAX_TOLD]) + more)
    return payments


def _read_text(path: Path) -> str:
    try:
        with path.expanduser().open("rb") as stream:
            data = stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        fail("file-unreadable", f"cannot read {path}: {error.strerror}")
    if len(data) > MAX_FILE_BYTES:
        fail("bad-payments-file", f"{path} has more than {MAX_FILE_BYTES} bytes")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        fail("bad-payments-file", f"{path} is not text in UTF-8")


def _split(path: Path, text: str) -> list[_Line]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    lines: list[_Line] = []
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if any(cells):
                lines.append(_Line(reader.line_num, cells))
    except csv.Error as error:
        fail("bad-payments-file", f"{path}: line {reader.line_num}: {error}")
    is_header = bool(lines) and tuple(cell.lower() for cell in lines[0].cells) == HEADER
    return lines[1:] if is_header else lines


def _read_line(line: _Line, network: Network, least: int) -> Payment:
    """Read one line.

    Raises:
        ValueError: it is no payment; the text says why.
    """
    if len(line.cells) != len(HEADER):
        raise ValueError(f"it has {len(line.cells)} columns instead of an address and an amount")
    to, amount = line.cells
    try:
        address = decode_address(network.hrp, to)
    except WalletError as error:
        raise ValueError(error.message) from error
    nano = parse_credits(amount)
    if nano < least:
        raise ValueError(f"{format_credits(nano)} credits are less than the least payment, {format_credits(least)}")
    return Payment(address, nano)
