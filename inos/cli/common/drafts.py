"""Drafts of transactions on the command line: written in place of being signed, shown, and read."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Any, Final

import msgspec
import typer

from inos.cli.common.output import fail, print_json, print_text
from inos.cli.common.wallets import OpenWallet
from inos.genesis import Network
from inos.primitives.payments import compute_total, iterate_payments
from inos.primitives.transactions import Payload, PostTask, Transfer, TransferMany
from inos.primitives.units import Address, format_credits
from inos.wallet.addresses import encode_address
from inos.wallet.drafts import MAX_FILE_BYTES, Draft, SignaturesMissing, encode_draft

AMOUNTS: Final = frozenset({"amount", "reward", "bond", "max_burn"})

_AGAIN: Final = "ask for the file again"


@contextmanager
def drafting(wallet: OpenWallet, *, as_json: bool) -> Iterator[None]:
    """Write a transaction that is signed elsewhere to the file of --unsigned, and end the command.

    Raises:
        SignaturesMissing: no file was named. CommandError: "file-unwritable".
    """
    try:
        yield
    except SignaturesMissing as missing:
        if wallet.unsigned is None:
            raise
        write_draft(wallet.unsigned, wallet.network, missing.draft)
        print_draft(wallet.network, missing.draft, wallet.unsigned, as_json=as_json)
        raise typer.Exit from None


def write_draft(file: Path, network: Network, draft: Draft) -> None:
    """Write a draft to a file.

    Raises:
        CommandError: "file-unwritable".
    """
    try:
        file.expanduser().write_text(encode_draft(draft, describe_draft(network, draft)), "utf-8")
    except OSError as error:
        fail("file-unwritable", f"cannot write {file}: {error.strerror}")


def read_text(file: Path) -> str:
    """Return the text of a file of a transaction.

    Raises:
        CommandError: "file-unreadable", "bad-transaction".
    """
    try:
        with file.expanduser().open("rb") as stream:
            text = stream.read(MAX_FILE_BYTES + 1).decode("utf-8").strip()
    except OSError as error:
        fail("file-unreadable", f"cannot read {file}: {error.strerror}")
    except UnicodeDecodeError:
        fail("bad-transaction", f"{file} is not text; it should be what `inos wallet sign -o` wrote, or hex")
    if not text:
        fail("bad-transaction", f"{file} is empty", _AGAIN)
    if text.startswith("{"):
        try:
            json.loads(text)
        except (ValueError, RecursionError) as error:
            fail("bad-transaction", f"{file} was cut off or changed on its way: {error}", _AGAIN)
    return text


def print_draft(network: Network, draft: Draft, file: Path, *, as_json: bool) -> None:
    """Print what is in a draft's file, and what comes next."""
    if as_json:
        print_json(describe_draft(network, draft) | {"file": str(file)})
    elif draft.needed:
        missing = "1 signature is" if draft.needed == 1 else f"{draft.needed} signatures are"
        print_text(f"written to {file}; {missing} missing: inos wallet sign {file}")
    else:
        print_text(f"written to {file}, all signatures are there; send it with: inos wallet broadcast {file}")


def describe_draft(network: Network, draft: Draft) -> dict[str, Any]:
    """Return what a draft does, for people and programs; amounts are nano."""
    terms = draft.terms
    return {
        "network": draft.network,
        "from": encode_address(network.hrp, draft.address),
        "nonce": terms.nonce,
        "fee": str(terms.fee),
        "does": type(terms.payload).__name__,
        **describe_payload(network, terms.payload),
        "signed_by": [key.hex() for key in sorted(draft.signatures)],
        "signatures_missing": draft.needed,
    }


def describe_payload(network: Network, payload: Payload) -> dict[str, Any]:
    """Return a payload's fields as JSON has them; amounts are nano as text."""
    if isinstance(payload, Transfer):
        return {"to": encode_address(network.hrp, Address(payload.to)), "amount": str(payload.amount)}
    if isinstance(payload, TransferMany):
        payments = [
            {"to": encode_address(network.hrp, to), "amount": str(amount)}
            for to, amount in iterate_payments(payload.payments)
        ]
        return {"total": str(compute_total(payload.payments)), "payments": payments}
    fields = msgspec.structs.asdict(payload)
    if isinstance(payload, PostTask):
        fields = {"task": fields.pop("kind"), **fields}  # a draft's own kind is another
    return {name: str(value) if name in AMOUNTS else _show(value) for name, value in fields.items()}


def _show(value: Any) -> Any:
    """Return a payload's field as JSON has it, bytes in hex."""
    match value:
        case bytes():
            return value.hex()
        case list() | tuple():
            return [_show(each) for each in value]
        case msgspec.Struct():
            return {name: _show(each) for name, each in msgspec.structs.asdict(value).items()}
        case Enum():
            return value.name.lower()
        case _:
            return value


def list_lines(described: dict[str, Any]) -> list[str]:
    """Return what `describe_draft` says as lines, amounts in credits."""
    lines = []
    for name, value in described.items():
        if name in AMOUNTS | {"fee", "total"}:
            lines.append(f"{name:<20} {format_credits(int(value))} credits")
        elif name == "payments":
            lines += [f"{'':<20} {format_credits(int(each['amount'])):>20}  {each['to']}" for each in value]
        elif isinstance(value, list):
            lines.append(f"{name:<20} {len(value)}{''.join(f'{chr(10)}{chr(32):<20} {each}' for each in value)}")
        elif isinstance(value, dict) and value.keys() >= {"id", "rows", "cols"}:
            lines.append(f"{name:<20} {value['rows']} x {value['cols']}  {value['id']}")
        else:
            lines.append(f"{name:<20} {value}")
    return lines
