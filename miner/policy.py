"""Which jobs are worth claiming: pure functions of what is on offer and where the miner stands."""

from collections.abc import Collection, Iterable
from fractions import Fraction
from typing import Final

from blake3 import blake3
from msgspec import Struct

from inos.consensus.params import Params
from inos.consensus.records import Account, Job, JobState
from inos.miner.settings import MinerSettings
from inos.primitives.matrices import compute_tickets
from inos.primitives.units import Address, Height, JobId, Nano, Tickets

SAFETY_PERCENT: Final = 70
"""Share of a claim's time the miner plans to use; the rest is for slow blocks."""
BLOCKS_AROUND: Final = 2
"""Blocks of a claim that pass before the claim is seen and while the result waits."""


class Offer(Struct, frozen=True):
    """An open job under its id."""

    id: JobId
    job: Job

    @property
    def tickets(self) -> Tickets:
        return Tickets(compute_tickets(self.job.x.rows, self.job.w.rows, self.job.x.cols))

    @property
    def reward_per_ticket(self) -> Fraction:
        """Nano per ticket, exact."""
        return Fraction(self.job.reward, self.tickets)

    @property
    def size(self) -> int:
        """Bytes of both operands (int8) and the result (int32)."""
        x, w = self.job.x, self.job.w
        return x.rows * x.cols + w.rows * w.cols + 4 * x.rows * w.rows


class Capacity(Struct, frozen=True, kw_only=True):
    """Where the miner stands when it chooses."""

    height: Height
    spendable: Nano
    """Balance that no claim on its way is going to lock."""
    fee: Nano
    """What one transaction costs now."""
    claims_left: int
    backlog: Tickets
    """Tickets of claimed jobs still to be multiplied."""
    rate: float
    """Tickets per second this machine does at full speed; 0 is not known yet."""


def compute_spendable(account: Account, pending: int) -> Nano:
    """Balance less `pending` nano of bonds and fees on their way."""
    return Nano(max(0, account.balance - pending))


def is_finishable(params: Params, offer: Offer, capacity: Capacity) -> bool:
    """Whether the product can be made and delivered before the claim lapses, at this machine's measured rate."""
    blocks = min(offer.job.claim_window, offer.job.deadline - capacity.height - 1) - BLOCKS_AROUND
    if blocks < 1:
        return False
    if capacity.rate <= 0:
        return True
    needed_ms = (capacity.backlog + offer.tickets) / capacity.rate * 1000
    return needed_ms <= blocks * params.spacing_ms * SAFETY_PERCENT / 100


def get_refusal(params: Params, settings: MinerSettings, offer: Offer, capacity: Capacity) -> str | None:
    """Why not to claim this job, as a code; None where it is worth claiming."""
    if offer.job.state is not JobState.OPEN:
        return "not-open"
    if capacity.claims_left < 1:
        return "claim-limit"
    if offer.job.mode not in settings.job_modes:
        return "other-mode"
    if not is_first(settings, offer) and offer.reward_per_ticket < settings.min_reward_per_ticket:
        return "reward-too-low"
    if offer.job.bond + 2 * capacity.fee > capacity.spendable:
        return "bond-not-affordable"
    if not is_first(settings, offer) and offer.job.reward < 2 * capacity.fee:
        return "reward-under-fees"
    if offer.size > settings.max_job_bytes:
        return "too-large"
    if not is_finishable(params, offer, capacity):
        return "cannot-finish"
    return None


def is_first(settings: MinerSettings, offer: Offer) -> bool:
    """Whether the job comes from a poster whose jobs this miner does before all others."""
    return Address(offer.job.poster) in settings.first_posters


def rank_offers(settings: MinerSettings, offers: Iterable[Offer], me: Address) -> list[Offer]:
    """Own posters' jobs first, then the best reward per ticket.

    Equals stand in an order of each miner's own, so that not all claim the same.
    """
    return sorted(
        offers,
        key=lambda offer: (not is_first(settings, offer), -offer.reward_per_ticket, blake3(me + offer.id).digest()),
    )


def choose_job(
    params: Params,
    settings: MinerSettings,
    me: Address,
    offers: Iterable[Offer],
    capacity: Capacity,
    avoid: Collection[JobId] = (),
) -> Offer | None:
    """The best job worth claiming now for the account `me`, leaving out `avoid`; None where there is none."""
    for offer in rank_offers(settings, (o for o in offers if o.id not in avoid), me):
        if get_refusal(params, settings, offer, capacity) is None:
            return offer
    return None
