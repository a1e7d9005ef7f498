"""A new check of blocks that are remembered as invalid, for use after a bug was fixed."""

from pathlib import Path

from msgspec import Struct

from inos.chain import schema
from inos.chain.ledger import Ledger
from inos.chain.opening import open_database
from inos.chain.schema import MAX_STORED_BYTES, StoredInvalid
from inos.consensus.execution import ResultChecker
from inos.consensus.genesis_state import GenesisState
from inos.consensus.params import Params
from inos.primitives.bls import Bls
from inos.primitives.codec import decode
from inos.primitives.units import BlockId


class Remembered(Struct, frozen=True):
    """A block that is remembered as invalid, and the reason. Its descendants are invalid too and are not listed."""

    id: BlockId
    height: int | None
    """None if its header is no longer known."""
    code: str
    message: str


class Rechecked(Struct, frozen=True):
    """The outcome of checking a block again."""

    block: Remembered
    status: str
    """As in Ledger.get_status: "invalid: ..." again, "connected", "stored" (on a lighter chain, or waiting for
    matrices), "header" (its body was not kept and is fetched again), "unknown".
    """

    @property
    def is_invalid(self) -> bool:
        return self.status.startswith("invalid")


def recheck(
    path: Path, params: Params, genesis: GenesisState, *, results: ResultChecker, bls: Bls, is_durable: bool = True
) -> tuple[Rechecked, ...]:
    """Forget every verdict in the database and let the ledger check every block that it could build on.

    If the process is killed half-way, the verdicts are forgotten and the next start checks the blocks.

    Raises:
        ChainError: for the same reasons as Ledger.open, in particular "database-in-use".
    """
    with open_database(path, genesis, is_durable=is_durable) as database:
        remembered = []
        for key, value in database.iterate(schema.INVALID):
            block_id, why = BlockId(key[1:]), decode(StoredInvalid, value, limit=MAX_STORED_BYTES)
            height_data = database.get(schema.height_key(block_id))
            height = None if height_data is None else schema.decode_height(height_data)
            remembered.append(Remembered(block_id, height, why.code, why.message))
        if remembered:
            database.write({schema.invalid_key(block.id): None for block in remembered})
    ledger = Ledger.open(path, params, genesis, results=results, bls=bls, is_durable=is_durable)
    try:
        found = [Rechecked(block, ledger.view.get_status(block.id)) for block in remembered]
    finally:
        ledger.close()
    return tuple(sorted(found, key=lambda each: (each.block.height or 0, each.block.id)))
