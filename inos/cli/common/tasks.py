"""What the commands that post tasks have in common: the options, the price, the question, the progress."""

import time
from typing import Annotated, TypeAlias

import typer

from inos.cli.common.output import print_progress
from inos.cli.common.wallets import confirm_or_stop, parse_amount
from inos.client.blocking_client import BlockingClient
from inos.client.costs import choose_reward
from inos.client.job_watcher import PENDING
from inos.client.task_terms import TaskTerms
from inos.primitives.units import format_credits

RewardOption: TypeAlias = Annotated[
    str | None,
    typer.Option("--reward", metavar="CREDITS", help="The reward, such as 1.5. Default: the going rate per unit."),
]
MaxCostOption: TypeAlias = Annotated[
    str | None,
    typer.Option("--max-cost", metavar="CREDITS", help="The most for reward, burn and fee together."),
]


def agree_on_terms(
    client: BlockingClient, name: str, units: int, reward: str | None, max_cost: str | None, *, is_agreed: bool
) -> TaskTerms:
    """Show what a task would cost, and return the terms if the user agrees.

    Args:
        name: of what is computed, for the question.
        is_agreed: no question is asked.
    """
    asked = None if reward is None else parse_amount(reward, "the reward")
    quote = client.quote_task(units, reward_nano=asked, poster=client.get_address())
    chosen = choose_reward(quote, asked, units)
    takes = "nobody mines here" if quote.expected_s is None else f"it takes about {quote.expected_s:.0f} s to settle"
    confirm_or_stop(
        f"Let a miner compute {name}, {units} units, for {format_credits(chosen)} credits, and burn "
        f"{format_credits(quote.burn)}?\nInputs and outputs are public; {takes}. Post it?",
        yes=is_agreed,
    )
    return TaskTerms(reward=format_credits(chosen), max_cost=max_cost)


def print_state(state: str) -> None:
    """Print the state of a task on stderr."""
    print_progress(f"{time.strftime('%H:%M:%S')}  {'waiting for a block' if state == PENDING else state}")


class Posted:
    """Keeps the id of a posted task, and prints it on stderr."""

    def __init__(self, *, is_quiet: bool) -> None:
        self._is_quiet = is_quiet
        self.id = ""

    def __call__(self, job: str) -> None:
        self.id = job
        if not self._is_quiet:
            print_progress(f"{time.strftime('%H:%M:%S')}  posted {job}")
