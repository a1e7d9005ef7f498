"""Simulates miners and customers under the rules: a hundred miners that change to what pays, customers with a demand.

Usage: python benchmarks/economics.py [--rounds 3000] [--seed 1] [--network devnet] [--plot docs/img/economics.png]

Amounts are in units of what multiplying one ticket costs the average running miner. A round is a block interval. D
follows the hash rate with ASERT's lag; the reward per ticket rises while jobs wait and falls while miners are idle; a
miner stops while its earnings are below its costs. Each season miners imitate what earned most.
"""

import argparse
import math
import sys
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from inos.consensus.params import Params
from inos.genesis import load_network
from races import run_undercutting, run_withholding

MINERS: Final = 100
STRATEGIES: Final = ("honest", "self-dealing", "caching", "withholding", "undercutting", "pumping")
HONEST, SELF_DEALING, CACHING, WITHHOLDING, UNDERCUTTING, PUMPING = range(len(STRATEGIES))
DELIVERY: Final = 0.2
"""Cost of delivering a ticket's product in addition to multiplying it: peeling, hashing, transfer (0.1 to 0.27
here).
"""
LAG_ROUNDS: Final = 30
"""D follows the hash rate in about this many rounds: ASERT's half-life over the spacing."""
TRIAL: Final = 0.02
"""The part of the miners that tries a random strategy each season."""
SEASON: Final = 100
"""After this many rounds miners compare their earnings."""
PUMP: Final = 1.0
"""A pumping miner doubles its power for the last rounds of a season, and posts to itself in the round after it."""
RENT: Final = 1.5
"""The cost of a ticket of rented power: as much as the most expensive miner's."""


class Market(Struct, frozen=True):
    """Means over the last half of a run, per ticket in units of multiplying one."""

    demand: float
    """Tickets that customers would want at no price, as a part of the capacity that runs without customers."""
    price: float
    """The price for a customer: reward and burn."""
    reward: float
    served: float
    """The part of the capacity that works for customers."""
    shown_share: float
    """The paid share as interfaces show it."""
    burned: float
    """The burned part of the subsidy."""
    profits: dict[str, float]
    """Earnings per ticket of power above an honest miner with the same costs, by strategy; nan if it was not played."""
    honest: float
    """The part of the miners that are honest at the end."""


class Flows(Struct):
    """The actions of each miner in one round: arrays over the miners, in tickets."""

    multiplied: NDArray[np.float64]
    rented: NDArray[np.float64]
    delivered: NDArray[np.float64]
    """Tickets delivered to customers and to itself."""
    posted: NDArray[np.float64]
    """Tickets posted to itself, whose reward comes back."""


def act(strategy: NDArray[np.int64], is_on: NDArray[np.bool_], served: float, number: int) -> Flows:
    """Return the actions of each miner in round `number`, with `served` tickets of customers shared by power."""
    multiplied = is_on.astype(np.float64)
    jobs = multiplied * served / max(multiplied.sum(), 1e-9)
    idle = multiplied - jobs
    posted, rented = np.zeros(MINERS), np.zeros(MINERS)
    delivered = jobs.copy()
    deals = strategy == SELF_DEALING  # its fillers become jobs that it posts, multiplies and delivers
    posted[deals], delivered[deals] = idle[deals], multiplied[deals]
    caches = strategy == CACHING  # one finished product is posted over and over; nothing is multiplied for it
    posted[caches] = 10 * multiplied[caches]
    pumps, at = strategy == PUMPING, number % SEASON
    if at >= SEASON - LAG_ROUNDS:
        rented[pumps] = PUMP * multiplied[pumps]
    if at == 0:
        posted[pumps] = SEASON / 2 * multiplied[pumps]
    return Flows(multiplied, rented, delivered, posted)


def compute_earnings(
    params: Params,
    flows: Flows,
    strategy: NDArray[np.int64],
    costs: NDArray[np.float64],
    *,
    subsidy: float,
    reward: float,
    jobs: float,
    bonus: float,
    races: Mapping[str, float],
) -> NDArray[np.float64]:
    """Return the earnings of each miner in a round.

    Args:
        subsidy: S / D, the expected subsidy of a ticket.
        jobs: customers' tickets for each ticket of power.
        bonus: additional earnings for settling a ticket, as a part of `subsidy`: 0 by the rules. Protocol 1 had 0.75.
        races: the earnings of withholding and undercutting as a part of those of honest mining.
    """
    luck = np.ones(MINERS)
    luck[strategy == WITHHOLDING] = races["withholding"]
    luck[strategy == UNDERCUTTING] = races["undercutting"]
    drawn = flows.multiplied + flows.rented
    paid = flows.multiplied * jobs * reward + (flows.multiplied * jobs + flows.posted) * bonus * subsidy
    burn = flows.posted * subsidy * params.burn_per_mille / 1000
    spent = flows.multiplied * costs + flows.rented * RENT + flows.delivered * DELIVERY
    return drawn * subsidy * luck + paid - burn - spent


def simulate(
    params: Params, demand: float, rounds: int, seed: int, races: Mapping[str, float], *, bonus: float = 0.0
) -> Market:
    """Run one market to its end; deterministic for a seed."""
    rng = np.random.default_rng(seed)
    costs = rng.permutation(np.linspace(0.5, 1.5, MINERS))
    is_on, strategy = costs < 1.0, np.zeros(MINERS, dtype=np.int64)
    strategy[: 2 * len(STRATEGIES)] = np.tile(np.arange(len(STRATEGIES)), 2)
    capacity = (
        MINERS / 2
    )  # this runs without customers, when a ticket earns what the most expensive of these miners pays for it
    difficulty, reward = capacity, DELIVERY
    gains, played = np.zeros(len(STRATEGIES)), np.zeros(len(STRATEGIES))
    season = np.zeros(MINERS)
    rows: list[tuple[float, ...]] = []
    for number in range(rounds):
        subsidy = capacity / difficulty
        burn = subsidy * params.burn_per_mille / 1000
        wanted = demand * capacity * max(0.0, 1 - (reward + burn) / 2) * rng.uniform(0.9, 1.1)
        power = max(float(is_on.sum()), 1.0)
        served = min(wanted, power)
        flows = act(strategy, is_on, served, number)
        earned = compute_earnings(
            params,
            flows,
            strategy,
            costs,
            subsidy=subsidy,
            reward=reward,
            jobs=served / power,
            bonus=bonus,
            races=races,
        )
        honest = subsidy + served / power * (reward + bonus * subsidy - DELIVERY) - costs
        season += np.where(is_on, earned - honest, 0.0)
        for kind in range(len(STRATEGIES)):
            chosen = is_on & (strategy == kind)
            gains[kind] += float((earned - honest)[chosen].sum())
            played[kind] += int(chosen.sum())
        difficulty += (power + flows.rented.sum() - difficulty) / LAG_ROUNDS
        reward = max(DELIVERY, reward * math.exp(0.02 * np.sign(wanted - power)))
        is_on = np.where(rng.random(MINERS) < 0.05, honest > 0, is_on)
        settled = served + flows.posted.sum()
        rows.append((reward + burn, reward, served / power, settled / max(settled, difficulty), burn * settled))
        if number % SEASON == SEASON - 1:
            strategy, season = _imitate(rng, strategy, season), np.zeros(MINERS)
    means = np.array(rows[rounds // 2 :]).mean(axis=0)
    profits = {
        name: float(gains[kind] / played[kind]) if played[kind] else math.nan for kind, name in enumerate(STRATEGIES)
    }
    price, paid, part, share, burned = map(float, means)
    return Market(demand, price, paid, part, share, burned / capacity, profits, float((strategy == HONEST).mean()))


def _imitate(rng: np.random.Generator, strategy: NDArray[np.int64], gains: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the next strategies: each miner compares itself with another one and imitates it if that gained more, and
    a few try a random one.
    """
    order = rng.permutation(MINERS)
    better = np.where(gains[order] > gains + 1e-12, strategy[order], strategy)
    trial = rng.random(MINERS) < TRIAL
    return np.where(trial, rng.integers(0, len(STRATEGIES), MINERS), better)


def run_races(seed: int, blocks: int = 400_000) -> dict[str, float]:
    """Return the earnings of withholding and undercutting as a part of those of honest mining, for a tenth of the hash
    rate.
    """
    undercut, honest = run_undercutting(0.1, blocks, rich=2.0, seed=seed)
    return {
        "withholding": run_withholding(0.1, blocks, follow=0.0, seed=seed).share / 0.1,
        "undercutting": undercut / honest,
    }


def compute_third(params: Params, age: int) -> float:
    """Return the number of blocks an attacker must find to hold a third of a committee, on a chain of `age` blocks.

    The network's mined figure is the sum of the subsidies, halved every half-life. A third of the committee weighs half
    of what all others have. The subsidy is taken as constant.
    """
    half_life = params.reputation_half_life
    full, rest = divmod(age, half_life)
    mined = float(rest)
    for number in range(full):
        mined += half_life / 2 ** (number + 1)
    return mined / 2


def show(markets: Sequence[Market], races: dict[str, float], params: Params) -> None:
    """Print the tables of docs/economics.md."""
    print("| demand ÷ capacity | customer pays ÷ multiplying | reward | working for customers | shown share | burned |")
    print("|---|---|---|---|---|---|")
    for m in markets:
        print(
            f"| {m.demand:g} | {m.price:.2f} | {m.reward:.2f} | {m.served:.0%} | {m.shown_share:.0%} | {m.burned:.3f} |"
        )
    print("\n| demand ÷ capacity | " + " | ".join(STRATEGIES[1:]) + " | honest at the end |\n|---|" + "---|" * 6)
    for m in markets:
        cells = " | ".join(f"{m.profits[name]:+.3f}" for name in STRATEGIES[1:])
        print(f"| {m.demand:g} | {cells} | {m.honest:.0%} |")
    print("\n| hash rate | withholding ÷ honest | by seen first | undercutting ÷ honest |\n|---|---|---|---|")
    for power in (0.01, 0.1, 0.2, 0.3, 0.4):
        kept = run_withholding(power, 400_000, follow=0.0, seed=1).share / power
        seen = run_withholding(power, 400_000, follow=1.0, seed=1).share / power
        undercut, honest = run_undercutting(power, 400_000, rich=2.0, seed=1)
        print(f"| {power:.0%} | {kept:.2f} | {seen:.2f} | {undercut / honest:.2f} |")
    print(
        "\n| chain's age | blocks to find for a third of a committee | part of a half-life's subsidies |\n|---|---|---|"
    )
    half_life = params.reputation_half_life
    for age in (half_life // 20, half_life, 10 * half_life):
        third = compute_third(params, age)
        print(f"| {age:,} blocks | {third:,.0f} | {third / half_life:.0%} |")


def draw(markets: Sequence[Market], path: str) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, (upper, lower) = plt.subplots(2, 1, figsize=(9, 7), sharex=True, layout="constrained")
    demand = [m.demand for m in markets]
    upper.plot(demand, [m.price for m in markets], marker="o", label="customer pays")
    upper.plot(demand, [m.served for m in markets], marker="s", label="part of the capacity that works for customers")
    upper.set(ylabel="÷ cost of multiplying", title="What a customer pays, and what the network does for it")
    for name in STRATEGIES[1:]:
        lower.plot(demand, [m.profits[name] for m in markets], marker="o", label=name)
    lower.axhline(0, color="black", linewidth=1)
    lower.set(
        ylabel="earned above honest mining, a ticket", xlabel="demand ÷ capacity", title="No strategy is above zero"
    )
    for axes in (upper, lower):
        axes.legend()
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=110)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--network", default="devnet")
    parser.add_argument("--plot", default="")
    args = parser.parse_args()
    params = load_network(args.network).params
    races = run_races(args.seed)
    markets = [simulate(params, demand, args.rounds, args.seed, races) for demand in (0, 0.25, 0.5, 1, 1.5, 2, 3, 4)]
    print(f"{args.network}, seed {args.seed}")
    show(markets, races, params)
    if args.plot:
        draw(markets, args.plot)
    return 0


if __name__ == "__main__":
    sys.exit(main())
