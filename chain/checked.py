"""A block that passed all checks that need no state; the ledger accepts only these in bulk."""

from msgspec import Struct

from inos.primitives.blocks import Block
from inos.primitives.matrices import Witness
from inos.primitives.units import TxId


class CheckedBlock(Struct, frozen=True, eq=False):
    """A block whose seal, witness and transactions were found valid.

    Only `inos.core.verification.blocks` makes one, after these checks; `tests/unit/test_house.py` fails if another
    module does. The ledger repeats none of them.
    """

    block: Block
    witness: Witness
    ids: tuple[TxId, ...]
    """The ids of its transactions, in order."""
