"""One job that a miner took on, and how far it is."""

from inos.miner.computation import Computation
from inos.miner.lifecycle import Step
from inos.miner.policy import Offer
from inos.miner.product import Product
from inos.primitives.transactions import SubmitOutcome, SubmitResult
from inos.primitives.units import Height


class JobRun:
    """Follows one job that was taken on: its offer, and how far its product or its computation is."""

    def __init__(
        self, offer: Offer, work: Product | Computation, height: Height | None, *, claims_sent: int = 0
    ) -> None:
        self.offer = offer
        self.id = offer.id
        self.work = work
        self.result: SubmitResult | SubmitOutcome | None = None
        """What delivers the job, once everything it names is in the store."""
        self.claims_sent = claims_sent
        self.last_seen = height
        self.step = Step.WAIT
        self.is_settled = False

    @property
    def is_posting_pending(self) -> bool:
        """Return True if no block had the job yet."""
        return self.last_seen is None

    @property
    def is_waiting_to_be_mined(self) -> bool:
        """Return True if the mining loop should continue with it."""
        if isinstance(self.work, Computation):
            return self.work.is_mined and not self.work.is_complete and self.work.failure is None
        return not self.work.is_complete

    @property
    def claim_key(self) -> str:
        return f"claim {self.id.hex()}"

    @property
    def result_key(self) -> str:
        return f"result {self.id.hex()}"
