"""The policy says which jobs are worth claiming, by pure functions of the open jobs and the miner's capacity."""

from collections.abc import Collection, Iterable, Iterator
from enum import IntEnum
from fractions import Fraction
from typing import Final

from blake3 import blake3
from msgspec import Struct

from inos.consensus.params import Params
from inos.consensus.posting import make_job
from inos.consensus.records import Account, Job, JobState, ProductWork, TaskWork
from inos.miner.settings import JobKind, MinerSettings
from inos.primitives.transactions import PostJob, PostTask, TaskKind, Transaction, compute_tx_id, get_sender
from inos.primitives.units import Address, Height, JobId, Nano, Tickets
from inos.programs.limits import PROFILE_UNITS

HELD_WORTH: Final = Fraction(11, 10)
"""A job whose bulk is stored here counts as if it paid this much more: computing goes where the data lies."""
SAFETY_PERCENT: Final = 70
"""The miner plans to use this share of a claim's time; the rest is reserved for slow blocks."""
EARLY_BYTES: Final = 64 << 20
"""A job is taken on before a block has it only up to this size: its posting may be replaced, which costs nothing."""
BLOCKS_AROUND: Final = 2
"""This many blocks of a claim pass before the claim is seen and while the result waits."""


class Holding(IntEnum):
    """How much of what a job works on is stored here."""

    NOTHING = 0
    BULK = 1
    """All but a task's inputs: its specification, and the weights or the module that this names."""
    ALL = 2


class Offer(Struct, frozen=True):
    """Pairs an open job with its id."""

    id: JobId
    job: Job
    holding: Holding = Holding.NOTHING

    @property
    def is_held(self) -> bool:
        """Return True if the job begins without a fetch."""
        return self.holding is Holding.ALL

    @property
    def kind(self) -> JobKind:
        work = self.job.work
        if isinstance(work, ProductWork):
            return JobKind.PRODUCT
        return JobKind.PROGRAM if work.kind is TaskKind.PROGRAM else JobKind.FUNCTION

    @property
    def units(self) -> Tickets:
        """Return what the job is priced by: a product's tickets, or a task's units, which cost as much."""
        return Tickets(self.job.work.units if isinstance(self.job.work, TaskWork) else self.job.work.tickets)

    @property
    def worth(self) -> Fraction:
        """Return the reward per unit, and a tenth more for a job whose bulk is here."""
        return self.reward_per_unit * (HELD_WORTH if self.holding >= Holding.BULK else 1)

    @property
    def reward_per_unit(self) -> Fraction:
        """Return the exact reward in nano per unit."""
        return Fraction(self.job.reward, self.units)

    @property
    def size(self) -> int:
        """Return the bytes of both operands (int8) and the result (int32); 0 for a task, which names files alone."""
        if not isinstance(self.job.work, ProductWork):
            return 0
        x, w = self.job.work.x, self.job.work.w
        return x.rows * x.cols + w.rows * w.cols + 4 * x.rows * w.rows


class Capacity(Struct, frozen=True, kw_only=True):
    """The miner has this capacity when it chooses a job."""

    height: Height
    spendable: Nano
    """No claim on its way will lock this balance."""
    fee: Nano
    """One transaction costs this now."""
    claims_left: int
    backlog: Tickets
    """This many tickets of claimed jobs are not multiplied yet."""
    rate: float
    """This machine multiplies this many tickets per second at full speed; 0 means that it is not known yet."""


def compute_spendable(account: Account, pending: int) -> Nano:
    """Return the balance less `pending` nano of bonds and fees on their way."""
    return Nano(max(0, account.balance - pending))


def is_finishable(params: Params, offer: Offer, capacity: Capacity) -> bool:
    """Return True if the product can be made and delivered before the claim lapses, at the measured rate."""
    blocks = min(offer.job.claim_window, offer.job.deadline - capacity.height - 1) - BLOCKS_AROUND
    if blocks < 1:
        return False
    if capacity.rate <= 0:
        return True
    needed_ms = (capacity.backlog + offer.units) / capacity.rate * 1000
    return needed_ms <= blocks * params.spacing_ms * SAFETY_PERCENT / 100


def get_refusal(params: Params, settings: MinerSettings, offer: Offer, capacity: Capacity) -> str | None:
    """Return the code of why the job is not worth claiming, or None if it is."""
    if offer.job.state is not JobState.OPEN:
        return "not-open"
    if capacity.claims_left < 1:
        return "claim-limit"
    if offer.job.mode not in settings.job_modes:
        return "other-mode"
    if offer.kind not in settings.job_kinds:
        return "other-kind"
    if not is_first(settings, offer) and offer.reward_per_unit < settings.min_reward_per_ticket:
        return "reward-too-low"
    if offer.job.bond + 2 * capacity.fee > capacity.spendable:
        return "bond-not-affordable"
    if not is_first(settings, offer) and offer.job.reward < 2 * capacity.fee:
        return "reward-under-fees"
    if offer.size > settings.max_job_bytes or (offer.kind is not JobKind.PRODUCT and offer.units > PROFILE_UNITS):
        return "too-large"
    if not is_finishable(params, offer, capacity):
        return "cannot-finish"
    return None


def is_early(offer: Offer) -> bool:
    """Return True if a job is worth taking on before a block has it.

    A function is not: it is run before it is claimed, and its poster could have it run for nothing.
    """
    return offer.kind is not JobKind.FUNCTION and offer.size <= EARLY_BYTES


def is_first(settings: MinerSettings, offer: Offer) -> bool:
    """Return True if the miner does the jobs of this poster before all others."""
    return Address(offer.job.poster) in settings.first_posters


def make_early_offer(tx: Transaction, payload: PostJob | PostTask, height: Height) -> Offer:
    """Return the job as it will be once a block at `height` posts it; what it burns does not matter here."""
    return Offer(JobId(compute_tx_id(tx)), make_job(get_sender(tx), payload, height, 0))


def rank_offers(settings: MinerSettings, offers: Iterable[Offer], me: Address) -> list[Offer]:
    """Sort offers: jobs of the first posters come first, then the best reward per unit, where a job
    whose data is here counts for a tenth more.

    Equal offers are sorted differently by each miner, so that not all miners claim the same job.
    """
    return sorted(
        offers,
        key=lambda offer: (not is_first(settings, offer), -offer.worth, blake3(me + offer.id).digest()),
    )


def choose_job(
    params: Params,
    settings: MinerSettings,
    me: Address,
    offers: Iterable[Offer],
    capacity: Capacity,
    avoid: Collection[JobId] = (),
) -> Offer | None:
    """Return the best job worth claiming now for the account `me`, except those in `avoid`, or None."""
    return next(iterate_worthwhile(params, settings, me, offers, capacity, avoid), None)


def iterate_worthwhile(
    params: Params,
    settings: MinerSettings,
    me: Address,
    offers: Iterable[Offer],
    capacity: Capacity,
    avoid: Collection[JobId] = (),
) -> Iterator[Offer]:
    """Yield the jobs that are worth claiming now, the best first."""
    for offer in rank_offers(settings, (o for o in offers if o.id not in avoid), me):
        if get_refusal(params, settings, offer, capacity) is None:
            yield offer
