"""What the pool needs of a node."""

from typing import Protocol

from msgspec import Struct

from inos.primitives.transactions import Payload
from inos.primitives.units import Address, BlockId, Height, JobId, Nano, Tickets, TimeMs, TxId


class Received(Struct, frozen=True):
    """What a block paid to the pool's account."""

    lottery: Nano
    """Subsidy, fees, and the pay for votes that the block includes; 0 if another account found the block."""
    jobs: dict[JobId, Nano]
    """Rewards of jobs that the account worked for."""
    time_ms: TimeMs
    difficulty: Tickets
    movements: int = 0
    """All movements of the account in the block, which were read for this."""


class ChainPort(Protocol):
    """The best chain as it was when this was made."""

    @property
    def height(self) -> Height: ...

    @property
    def final_height(self) -> Height: ...

    def get_block_id(self, height: int) -> BlockId | None:
        """Return the block of the best chain at a height, or None above the tip."""

    def get_parent(self, block: BlockId) -> BlockId | None:
        """Return a block's parent, also of one that is not on the best chain; None if the block is not known."""

    def read_received(self, address: Address, height: int) -> Received: ...

    @property
    def base_height(self) -> Height:
        """The transactions of blocks up to this height are not known here; 0 if all are."""

    def find_transaction(self, tx: TxId) -> Height | None:
        """Return the height of the block on the best chain that has a transaction."""

    def get_nonce(self, address: Address) -> int: ...

    def get_balance(self, address: Address) -> Nano: ...

    def get_job_tickets(self, job: JobId) -> Tickets:
        """Return the tickets of a job, or 0 if its record is gone."""


class NodePort(Protocol):
    """Reads the chain, and sends the pool's transactions."""

    @property
    def least_payment(self) -> Nano:
        """The least amount of one payment in a TransferMany."""

    @property
    def difficulty(self) -> Tickets:
        """The tickets that the next block takes on average."""

    def read_chain(self) -> ChainPort: ...

    def estimate_fee(self, payments: int) -> Nano: ...

    def sign(self, payload: Payload, fee: int) -> tuple[bytes, TxId, int]:
        """Sign with the account's next nonce; return the transaction's bytes, its id, and the nonce."""

    async def send(self, tx: bytes) -> None:
        """Put a transaction into the node's pool, if it is not there.

        Raises:
            InosError: the node refuses it now.
        """
