"""The pool's database. Every change is one batch: a killed process loses no batch that was written."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, TypeVar

from inos.chain.database import Database
from inos.primitives.codec import decode, encode
from inos.primitives.errors import CodecError
from inos.primitives.units import Address, BlockId, JobId, TimeMs
from inos.workers.pool import records
from inos.workers.pool.errors import PoolError
from inos.workers.pool.fairness import PieceRecord
from inos.workers.pool.records import BucketRecord, Head, Income, Member, Payout, Pieces, Record
from inos.workers.pool.window import Bucket

R = TypeVar("R", Head, BucketRecord, Member, Income, Payout, Pieces, PieceRecord)
HINT: Final = "put the folder back from a backup; or move it away, and the pool begins anew and owes nothing"


class PoolStore:
    """Reads and writes records; see `records` for the keys.

    Raises:
        ChainError: "database-in-use", "database-damaged", "database-io".
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._database = Database(path, is_durable=True)
        self.close: Final = self._database.close

    def write(self, changes: Mapping[bytes, Record | PieceRecord | None], *, is_synced: bool = False) -> None:
        """Write all changes or none. Without `is_synced` they outlive the process, and the machine after the next
        synced write.
        """
        self._database.write(
            {key: None if record is None else encode(record) for key, record in changes.items()}, is_synced=is_synced
        )

    def read_head(self, genesis: BlockId, address: Address) -> Head:
        """Return the head; a new one in an empty database.

        Raises:
            PoolError: "pool-damaged", "pool-of-another-network", "pool-of-another-account".
        """
        data = self._database.get(records.HEAD)
        if data is None:
            if next(self._database.iterate_keys(b""), None) is not None:
                raise self._explain("it has records and no head")
            return Head(records.VERSION, genesis, address)
        head = self._decode(Head, records.HEAD, data)
        if head.version != records.VERSION:
            raise self._explain(f"it has version {head.version}, and this program reads version {records.VERSION}")
        if head.genesis != genesis:
            raise PoolError(
                "pool-of-another-network",
                f"the pool in {self._path} is one of the network with genesis {head.genesis.hex()}",
                hint="give this node another data directory",
            )
        if head.address != address:
            raise PoolError(
                "pool-of-another-account",
                f"the pool in {self._path} pays from account {head.address.hex()}, and this node mines for "
                f"{address.hex()}",
                hint="mine with the key that the pool began with, or move the folder away",
            )
        return head

    def iterate_members(self) -> Iterator[tuple[Address, Member]]:
        for key, member in self._iterate(Member, records.MEMBER, 21):
            yield Address(key[1:]), member

    def read_buckets(self) -> list[Bucket]:
        """Return the buckets of the window, oldest first."""
        buckets: list[Bucket] = []
        for key, record in self._iterate(BucketRecord, records.BUCKET, 29):
            number = int.from_bytes(key[1:9], "big")
            if not buckets or buckets[-1].number != number:
                buckets.append(Bucket(number, TimeMs(record.began_ms)))
            buckets[-1].add(Address(key[9:]), record.tickets)
        return buckets

    def read_income(self, number: int) -> Income | None:
        return self._read(Income, records.income_key(number))

    def count(self, prefix: bytes) -> int:
        """Return how many records of a kind there are."""
        return sum(1 for _ in self._database.iterate_keys(prefix))

    def read_payout(self, number: int) -> Payout | None:
        return self._read(Payout, records.payout_key(number))

    def iterate_pieces(self, job: JobId | None = None) -> Iterator[tuple[JobId, Address, Pieces]]:
        """Yield what was delivered of a job, or of all jobs."""
        for key, pieces in self._iterate(Pieces, records.PIECES + (job or b""), 53):
            yield JobId(key[1:33]), Address(key[33:]), pieces

    def read_pieces(self, job: JobId, address: Address) -> Pieces | None:
        return self._read(Pieces, records.pieces_key(job, address))

    def read_noise(self, address: Address, identity: bytes) -> PieceRecord:
        return self._read(PieceRecord, records.noise_key(address, identity)) or PieceRecord()

    def check_sums(self, head: Head, members: Mapping[Address, Member]) -> None:
        """Compare the sums of the records with those of the head.

        Raises:
            PoolError: "pool-damaged": records are missing, which checksums of single records cannot show.
        """
        found = tuple(
            sum(getattr(member, name) for member in members.values()) for name in ("shares", "tickets", "earned")
        )
        expected = (head.shares, head.tickets, head.earned)
        if found != expected:
            raise self._explain(f"its members have {found} shares, tickets and nano, and its head says {expected}")
        for kind, count in ((records.INCOME, head.incomes), (records.PAYOUT, head.payouts)):
            numbers = [int.from_bytes(key[1:], "big") for key in self._database.iterate_keys(kind)]
            if numbers != list(range(count - len(numbers), count)):
                raise self._explain(f"records {kind.decode()} do not follow each other up to number {count}")

    def _read(self, kind: type[R], key: bytes) -> R | None:
        data = self._database.get(key)
        return None if data is None else self._decode(kind, key, data)

    def _iterate(self, kind: type[R], prefix: bytes, size: int) -> Iterator[tuple[bytes, R]]:
        for key, data in self._database.iterate(prefix):
            if len(key) != size:
                raise self._explain(f"there is no record with the key {key.hex()}")
            yield key, self._decode(kind, key, data)

    def _decode(self, kind: type[R], key: bytes, data: bytes) -> R:
        try:
            return decode(kind, data, limit=records.MAX_RECORD_BYTES)
        except CodecError as error:
            raise self._explain(f"the record {key.hex()} cannot be read: {error.message}") from error

    def _explain(self, reason: str) -> PoolError:
        return PoolError("pool-damaged", f"the pool's database {self._path} is damaged: {reason}", hint=HINT)
