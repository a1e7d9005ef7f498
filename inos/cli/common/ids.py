"""Ids as people write them: whole, or the first digits that no other id begins with; and as lists show them."""

import re
from typing import Any, Final, Literal

from inos.cli.common.output import fail
from inos.cli.common.remote import call_rpc

SHOWN_DIGITS: Final = 12
"""Digits of an id in lists; a chain needs millions of ids before two of them are alike."""
LEAST_DIGITS: Final = 4
WHOLE_DIGITS: Final = 64
LISTS: Final = {
    "job": "inos job list shows the ids of jobs",
    "transaction": "inos wallet history shows the ids of transactions",
    "matrix": "inos mesh list shows the ids of matrices",
}


def shorten(id_: str) -> str:
    """Return the first digits of an id, which commands and the explorer's search take in its place."""
    return id_[:SHOWN_DIGITS]


def find_id(rpc: str, text: str, kind: Literal["job", "transaction", "matrix"]) -> str:
    """Return the whole id of a job, transaction or stored matrix that begins with `text`.

    Raises:
        CommandError: "bad-id", "job-unknown" (by kind), "id-ambiguous".
    """
    digits = text.strip().lower().removeprefix("0x").rstrip("…")
    if not re.fullmatch(f"[0-9a-f]{{{LEAST_DIGITS},{WHOLE_DIGITS}}}", digits):
        fail(
            "bad-id",
            f"{text[:80]!r} is not the id of a {kind}, or {LEAST_DIGITS} or more of its first hex digits",
            LISTS[kind],
        )
    if len(digits) == WHOLE_DIGITS:
        return digits
    found: dict[str, Any] = call_rpc(rpc, "chain_find", {"prefix": digits})
    kinds = ("job", "transaction") if kind == "transaction" else (kind,)  # a job has its posting transaction's id
    ids = [each["id"] for each in found["matches"] if each["kind"] in kinds]
    if not ids:
        fail(f"{kind}-unknown", f"no {kind} that this node knows begins with {digits}", LISTS[kind])
    if len(ids) > 1 or not found["is_complete"]:
        fail("id-ambiguous", f"several ids begin with {digits}: {', '.join(ids[:5])}", "write more of its digits")
    return str(ids[0])
