"""What products cost before they are posted, and the most that a caller lets them cost."""

import sys
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from inos.client.errors import ClientError
from inos.client.operands import Credits, read_credits
from inos.consensus.jury import compute_product_mib, compute_task_mib
from inos.primitives.units import Nano, format_credits

if TYPE_CHECKING:
    from inos.client import models

MAX_ADVISED_TICKET_REWARD: Final = Nano(10_000_000_000)
"""10 credits, which are ten thousand times the rate if no job was settled yet."""
BURN_MARGIN = (3, 2)
"""A job's burn may rise to three halves of the present price until it is mined, if nobody sets another limit."""


def compute_job_mib(job: "models.Job") -> int:
    """Return the MiB for which the jury of a job is paid."""
    if job.x is None or job.w is None:
        return compute_task_mib(job.units)
    return compute_product_mib(job.x.rows, job.w.rows, job.x.cols)


class Plan(Struct, frozen=True):
    """The jobs, cost and time of a product that several paid jobs make; amounts are in nano.

    Args:
        expected_s: None if nobody seems to mine.
    """

    jobs: int
    tickets: int
    reward: int
    burn: int
    fees: int
    expected_s: float | None

    @property
    def cost(self) -> int:
        return self.reward + self.burn + self.fees

    def describe(self) -> str:
        """Return the plan in one line."""
        takes = "nobody mines here" if self.expected_s is None else f"about {self.expected_s:.0f} s"
        return (
            f"{count(self.jobs, 'job')}, {count(self.tickets, 'ticket')}: {format_credits(self.cost)} credits "
            f"({format_credits(self.reward)} reward, {format_credits(self.burn)} burned, "
            f"{format_credits(self.fees)} fees), {takes}"
        )


class Status(Struct, frozen=True):
    """The progress of the jobs of a plan."""

    plan: Plan
    done: int
    seconds: float


def print_status(status: Status) -> None:
    """Print the plan, and later how far it is, on stderr; the default of `inos.matmul` with a client."""
    if status.done == 0 and status.seconds == 0:
        text = f"inos.matmul: {status.plan.describe()}"
    else:
        text = f"inos.matmul: {status.done} of {count(status.plan.jobs, 'job')} done after {status.seconds:.0f} s"
    print(text, file=sys.stderr, flush=True)


def ignore_status(status: Status) -> None:
    """Print nothing."""


def count(number: int, noun: str) -> str:
    """Return a number with its noun in the singular or the plural."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def read_max_cost(max_cost: Credits | None) -> int | None:
    """Return nano of the most that something may cost.

    Raises:
        ClientError: "bad-max_cost".
    """
    return None if max_cost is None else read_credits("max_cost", max_cost, None)


def choose_max_burn(
    quote: "models.Quote | models.TaskQuote", reward: int, fee: int, max_burn: int | None, most: int | None
) -> int:
    """Return the most nano that a job may burn, so that it costs at most `most` with reward and fee.

    Raises:
        ClientError: "too-expensive".
    """
    times, parts = BURN_MARGIN
    chosen = -(-quote.burn * times // parts) if max_burn is None else max_burn
    if most is None:
        return chosen
    check_cost(reward + quote.burn + fee, most)
    return min(chosen, most - reward - fee)


def choose_reward(quote: "models.Quote | models.TaskQuote", asked: Nano | None, tickets: int) -> Nano:
    """Return the reward that is asked for, or the going rate as the node tells it.

    Args:
        tickets: the product's, as computed here.

    Raises:
        ClientError: "reward-too-high" if the node's rate is unreasonably high.
    """
    if asked is not None:
        return asked
    most = MAX_ADVISED_TICKET_REWARD * tickets
    if quote.suggested_reward > most:
        raise ClientError(
            "reward-too-high",
            f"the node says that {format_credits(quote.suggested_reward)} credits is the going rate, and above "
            f"{format_credits(most)} no advice is followed",
            hint="ask another node; or give the reward yourself",
        )
    return Nano(quote.suggested_reward)


def raise_max_burn(quote: "models.Quote", reward: int, fee: int, signed: int, most: int | None) -> int:
    """Return the most nano that a job may burn when it is signed again, because its price has moved past `signed`.

    Only `most`, the most that reward, burn and fee may cost together, allows that: the caller agreed to it before.

    Raises:
        ClientError: "price-moved" without that limit, "too-expensive" beyond it.
    """
    if most is None:
        raise ClientError(
            "price-moved",
            f"posting burns {format_credits(quote.burn)} credits now, at most {format_credits(signed)} were allowed",
            hint="post it again at the new price, or set a limit within which it may rise: max_cost or max_burn",
        )
    return choose_max_burn(quote, reward, fee, None, most)


def check_cost(cost: int, most: int) -> None:
    """Check that a price is not above the caller's limit.

    Raises:
        ClientError: "too-expensive".
    """
    if cost > most:
        raise ClientError(
            "too-expensive",
            f"it would cost {format_credits(cost)} credits, and at most {format_credits(most)} are allowed",
            hint="allow more with max_cost, offer a lower reward, or wait until posting burns less",
        )
