"""A federation's folder: what its rounds have in common, one record for each round, and files by their ids.

    spec.json        rule, members, what an update is paid
    records.jsonl    one line for each round; each names the one before
    files/ID         models and accepted updates
    payouts.db       payments (see `payments`)

A record is written before anything is paid, and a payment is named by its run, round and account. So a server that is
killed at any moment neither forgets a payment nor makes one twice.
"""

import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final, Literal, TypeAlias

import numpy as np
from msgspec import Meta, Struct
from numpy.typing import NDArray

from inos.learn.errors import LearnError
from inos.learn.federated.aggregation import MAX_UPDATES, RuleName, aggregate, count_needed
from inos.learn.federated.models import Model, read_model
from inos.learn.federated.updates import RefusedUpdate, Terms, read_update
from inos.learn.folder import RECORDS, SPEC, Folder
from inos.learn.spec import Count, FileId, Number, compute_id, decode, encode
from inos.primitives.atomic_files import replace_file
from inos.primitives.units import ADDRESS_BYTES, Address

PAYOUTS: Final = "payouts.db"
MAX_REASON: Final = 40

AddressHex: TypeAlias = Annotated[str, Meta(pattern=f"^[0-9a-f]{{{2 * ADDRESS_BYTES}}}$")]
Proof: TypeAlias = Annotated[str, Meta(pattern="^[0-9a-f]{192}$")]


class FederationSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """Says what all rounds of a federation have in common. Ids and addresses are hex.

    Attributes:
        nonce: random, so that no update of another federation fits.
        model: the first model.
        members: the accounts that may send updates.
        rule, liars: what the updates are aggregated by, and how many false ones it shall bear.
        bits, keep: see `inos.learn.federated.updates.Terms`; `keep` in millionths.
        share: nano that are paid for an accepted update.
    """

    version: Literal[1]
    nonce: FileId
    model: FileId
    members: Annotated[tuple[AddressHex, ...], Meta(min_length=1, max_length=MAX_UPDATES - 1)]
    rule: RuleName
    liars: Count
    bits: Literal[7, 16]
    keep: Annotated[int, Meta(ge=1, le=1_000_000)]
    share: Count


class Accepted(Struct, frozen=True, forbid_unknown_fields=True):
    """Names an update that was accepted, and proves that its account made it."""

    sender: AddressHex
    update: FileId
    proof: Proof


class Refused(Struct, frozen=True, forbid_unknown_fields=True):
    """Names a member whose update was refused, and the code of the reason."""

    sender: AddressHex
    reason: Annotated[str, Meta(max_length=MAX_REASON)]


class RoundRecord(Struct, frozen=True, forbid_unknown_fields=True):
    """Names what a round made.

    Attributes:
        run: the spec's id.
        parent: the id of the record before, or of the spec for the first round.
        base, model: before the round and after it; the same one if too few updates were accepted.
    """

    run: FileId
    round: Number
    parent: FileId
    base: FileId
    accepted: Annotated[tuple[Accepted, ...], Meta(max_length=MAX_UPDATES - 1)]
    refused: Annotated[tuple[Refused, ...], Meta(max_length=MAX_UPDATES - 1)]
    model: FileId


class Federation:
    """Reads a federation from its folder, and appends rounds.

    Raises:
        LearnError: "run-missing", "bad-run", "parent-missing", "bad-record".
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.folder = Folder(Path(path))
        self.spec = decode(self._read(SPEC), FederationSpec, str(self.folder.path / SPEC))
        self.id = compute_id(self.spec)
        self.records = self._read_records()

    @property
    def head(self) -> str:
        """Return the id of the last record, which stands for all rounds up to it."""
        return compute_id(self.records[-1]) if self.records else self.id

    @property
    def members(self) -> list[Address]:
        return [Address(bytes.fromhex(each)) for each in self.spec.members]

    def read_model(self, round: int | None = None) -> Model:
        """Return the model after a round, by default the last one; 0 is the first model.

        Raises:
            LearnError: "step-unknown", "file-missing", "file-changed", "bad-model".
        """
        last = len(self.records) if round is None else round
        if not 0 <= last <= len(self.records):
            raise LearnError("step-unknown", f"the federation has {len(self.records)} rounds, and no round {last}")
        name = self.records[last - 1].model if last else self.spec.model
        return read_model(self.folder.get(name), f"file {name}")

    def make_terms(self, round: int, base: str) -> Terms:
        """Return what updates of a round have in common."""
        keep = self.spec.keep / 1_000_000
        return Terms(bytes.fromhex(self.id), round, bytes.fromhex(base), self.spec.bits, keep)

    def read_rows(self, record: RoundRecord, sizes: Sequence[int]) -> list[NDArray[np.int64]]:
        """Return the accepted updates of a round, checked as they were when they came.

        Raises:
            LearnError: "file-missing", "file-changed", "round-wrong".
        """
        terms, rows = self.make_terms(record.round, record.base), []
        for each in record.accepted:
            sender = Address(bytes.fromhex(each.sender))
            try:
                rows.append(read_update(terms, sizes, sender, self.folder.get(each.update), each.proof))
            except RefusedUpdate as error:
                raise LearnError(
                    "round-wrong", f"round {record.round} has an update of {each.sender} that is none: {error.message}"
                ) from error
        return rows

    def add(self, record: RoundRecord) -> None:
        """Append a round; its record is on disk afterwards."""
        self.folder.repair()  # here and not when reading, as a reader may look while a server writes
        self.folder.add_record(record)
        self.records.append(record)

    def _read(self, name: str) -> bytes:
        try:
            return (self.folder.path / name).read_bytes()
        except OSError:
            raise LearnError("run-missing", f"{self.folder.path} is no folder of a run: it has no {name}") from None

    def _read_records(self) -> list[RoundRecord]:
        place, parent, base, found = self.folder.path / RECORDS, self.id, self.spec.model, []
        lines = place.read_bytes().split(b"\n")[:-1] if place.exists() else []
        for number, line in enumerate(lines, 1):
            record = decode(line, RoundRecord, f"the record of round {number}")
            _check_link(record, self.id, number, parent, base)
            parent, base = compute_id(record), record.model
            found.append(record)
        return found


def _check_link(record: RoundRecord, run: str, number: int, parent: str, base: str) -> None:
    if (record.run, record.round) != (run, number):
        raise LearnError("bad-record", f"where round {number} should be there is round {record.round} of {record.run}")
    if (record.parent, record.base) != (parent, base):
        raise LearnError(
            "parent-missing", f"round {number} follows {record.parent} and {record.base}, not {parent} and {base}",
            hint=f"a record up to round {number} was changed, or one is missing",
        )  # fmt: skip


def make_federation(path: str | os.PathLike[str], spec: FederationSpec, model: Model) -> Federation:
    """Make a federation's folder."""
    folder = Folder(Path(path))
    folder.path.mkdir(parents=True, exist_ok=True)
    folder.put(model.data)
    replace_file(folder.path / SPEC, encode(spec))
    return Federation(path)


def make_nonce() -> str:
    """Return what makes a federation another one than all others."""
    return secrets.token_hex(32)


def load_federation(path: str | os.PathLike[str]) -> Federation:
    """Read a federation's folder; see `Federation`."""
    return Federation(path)


def make_step(spec: FederationSpec, rows: Sequence[NDArray[np.int64]]) -> NDArray[np.int64] | None:
    """Return the step of a round's accepted updates; None if they are too few."""
    if len(rows) < count_needed(spec.rule, spec.liars):
        return None
    return aggregate(spec.rule, np.array(rows), spec.liars)
