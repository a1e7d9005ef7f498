"""What merit, base fee and jobs posted to oneself come to: many miners that do what pays, by the chain's own rules.

Usage: python benchmarks/economics.py [--blocks 1200] [--demand 0.25] [--seed 1] [--plot docs/img/economics.png]

Each miner knows what merit is worth: D of it saves three quarters of the time to the next block, so a ticket's merit
is worth up to 3/4 of subsidy / D. It posts its own tickets as jobs as long as they burn less than that. Customers post
as long as the burn, less what the merit is worth to whoever works, stays under what the product is worth to them.
"""

import argparse
import random
import sys
from collections.abc import Sequence

from inos.consensus.basefee import compute_next_base_fee
from msgspec import Struct

from inos.consensus.params import Params
from inos.genesis import load_network
from inos.primitives.units import Nano, Tickets

D = 600
"""Tickets a block takes without merit; the target is taken to follow the hash rate at once."""
MINERS = 100


class Row(Struct, frozen=True):
    """One block."""

    base_fee: int
    real: float
    """Tickets that customers posted."""
    selfish: float
    """Tickets that miners posted to themselves."""
    with_merit: bool
    tickets: float
    """Multiplied in the block's time."""


def simulate(params: Params, blocks: int, demand: float, seed: int) -> list[Row]:
    """`demand`: tickets of products that customers would have for nothing, as a part of D, each block."""
    rng = random.Random(seed)
    worth = params.subsidy_initial * (1 - 1 / params.merit_premium) / D
    beliefs = [worth * rng.uniform(0.7, 1.3) for _ in range(MINERS)]
    merit, base_fee, rows = [0.0] * MINERS, params.base_fee_initial, []
    for _ in range(blocks):
        weights = [params.merit_premium if have >= D else 1 for have in merit]
        tickets = D * MINERS / sum(weights)
        each = tickets / MINERS
        # Customers' values lie between nothing and twice what a ticket's merit is worth.
        real = demand * D * max(0.0, 1 - max(0.0, base_fee - worth) / (2 * worth))
        real = min(real, tickets)
        dealers = [n for n in range(MINERS) if base_fee < beliefs[n]]
        room = each * (1 - real / tickets)
        for n in range(MINERS):
            merit[n] += real / MINERS
        for n in dealers:
            merit[n] += room
        selfish = room * len(dealers)
        winner = rng.choices(range(MINERS), weights)[0]
        with_merit = merit[winner] >= D and weights[winner] > 1
        merit[winner] -= D if with_merit else 0
        rows.append(Row(int(base_fee), real, selfish, with_merit, tickets))
        base_fee = compute_next_base_fee(params, Nano(int(base_fee)), Tickets(round(real + selfish)), D)
    return rows


def show(params: Params, rows: Sequence[Row], window: int = 50) -> None:
    """Means over windows that end at these blocks."""
    names = "blocks", "base fee, nano a ticket", "posted / target", "of it to oneself", "paid share shown"
    names += "share for others", "burned / subsidy", "blocks by merit"
    print(f"| {' | '.join(names)} |\n|{'---|' * len(names)}")
    target = D * params.useful_target_percent / 100
    for end in (50, 100, 150, 200, 300, 600, len(rows)):
        part = rows[max(0, end - window) : end]
        posted, real = sum(row.real + row.selfish for row in part), sum(row.real for row in part)
        weight = sum(row.tickets for row in part)
        burned = sum(row.base_fee * (row.real + row.selfish) for row in part)
        print(
            f"| {end - len(part)}-{end} | {sum(row.base_fee for row in part) / len(part):,.0f} "
            f"| {posted / len(part) / target:.2f} | {1 - real / posted if posted else 0:.0%} "
            f"| {posted / weight:.0%} | {real / weight:.0%} | {burned / len(part) / params.subsidy_initial:.3f} "
            f"| {sum(row.with_merit for row in part) / len(part):.0%} |"
        )


def draw(params: Params, rows: Sequence[Row], path: str) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, (upper, lower) = plt.subplots(2, 1, figsize=(9, 6), sharex=True, layout="constrained")
    worth = params.subsidy_initial * (1 - 1 / params.merit_premium) / D
    upper.semilogy([row.base_fee for row in rows], label="base fee")
    upper.axhline(worth, linestyle="--", color="gray", label="what a ticket's merit is worth")
    upper.set(ylabel="nano a ticket", title="The base fee rises until posting to oneself no longer pays")
    lower.stackplot(
        range(len(rows)),
        [row.real / row.tickets for row in rows],
        [row.selfish / row.tickets for row in rows],
        labels=["paid by customers", "posted to oneself"],
        alpha=0.7,
    )
    lower.set(ylabel="share of all tickets", xlabel="block", ylim=(0, 1))
    for axes in (upper, lower):
        axes.legend(loc="lower right")
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=110)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blocks", type=int, default=1200)
    parser.add_argument("--demand", type=float, default=0.25)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--plot", default="")
    args = parser.parse_args()
    params = load_network("devnet").params
    rows = simulate(params, args.blocks, args.demand, args.seed)
    print(f"demand {args.demand:g} of D, seed {args.seed}")
    show(params, rows)
    if args.plot:
        draw(params, rows, args.plot)
    return 0


if __name__ == "__main__":
    sys.exit(main())
