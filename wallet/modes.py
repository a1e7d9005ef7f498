"""Chooses the mode in which a job is posted: the cheaper one of those that the network would accept."""

from typing import Final

from msgspec import Struct

from inos.consensus.jury import MAX_BOND_SUBSIDIES, MIB, compute_min_bond
from inos.consensus.params import Params, compute_subsidy
from inos.consensus.prices import JobPrice, compute_job_price, compute_product_bytes
from inos.primitives.transactions import JobMode
from inos.primitives.units import Height, Tickets, format_credits
from inos.wallet.errors import WalletError

MIN_JURORS: Final = 2
"""Members of the voting committee, the poster not counted: one of them may be the worker, and another must judge."""


class ModeChoice(Struct, frozen=True):
    """A mode, what posting burns in it, and why it was chosen."""

    mode: JobMode
    price: JobPrice
    reason: str


def choose_mode(
    params: Params,
    height: Height,
    difficulty: Tickets,
    *,
    rows_x: int,
    rows_w: int,
    depth: int,
    reward: int,
    jurors: int,
    wanted: JobMode | None = None,
) -> ModeChoice:
    """Choose the mode that burns less in the block at `height`, of those that are possible.

    Args:
        difficulty: D of that block. reward: nano.
        jurors: members of the voting committee without the poster.
        wanted: the mode that the poster insists on, if any. An optimistic job may then wait for voters.

    Raises:
        WalletError: "job-too-large", "bond-too-large" or "no-jury" if no mode, or not the wanted one, is possible.
    """
    size = compute_product_bytes(rows_x, rows_w, depth)
    checked, optimistic = (
        compute_job_price(params, height, difficulty, rows_x=rows_x, rows_w=rows_w, depth=depth, mode=mode)
        for mode in (JobMode.CHECKED, JobMode.OPTIMISTIC)
    )
    no_checked = _find_obstacle_to_checked(params, size)
    no_optimistic = _find_obstacle_to_optimistic(params, height, size, reward, jurors if wanted is None else MIN_JURORS)
    if wanted is not None:
        obstacle = no_checked if wanted is JobMode.CHECKED else no_optimistic
        if obstacle is not None:
            raise obstacle
        return ModeChoice(wanted, checked if wanted is JobMode.CHECKED else optimistic, "as asked for")
    if no_optimistic is None:
        if no_checked is not None:
            return ModeChoice(JobMode.OPTIMISTIC, optimistic, f"checked is not possible: {no_checked.message}")
        if checked.total <= optimistic.total:
            return ModeChoice(JobMode.CHECKED, checked, "a check by every node burns nothing more")
        more = format_credits(checked.total - optimistic.total)
        return ModeChoice(JobMode.OPTIMISTIC, optimistic, f"a check by every node would burn {more} credits more")
    if no_checked is None:
        return ModeChoice(JobMode.CHECKED, checked, f"optimistic is not possible: {no_optimistic.message}")
    text = f"{no_checked.message}; an optimistic one is not possible either: {no_optimistic.message}"
    raise WalletError(no_optimistic.code, text, hint=no_optimistic.hint)


def _find_obstacle_to_checked(params: Params, size: int) -> WalletError | None:
    if size <= params.max_checked_bytes:
        return None
    text = f"operands and result take {size:,} bytes in strips, and a checked job at most {params.max_checked_bytes:,}"
    return WalletError("job-too-large", text, hint="post it as an optimistic job, or split X into blocks of rows")


def _find_obstacle_to_optimistic(
    params: Params, height: Height, size: int, reward: int, jurors: int
) -> WalletError | None:
    if size > params.max_optimistic_bytes:
        text = f"it takes {size:,} bytes in strips, and an optimistic job at most {params.max_optimistic_bytes:,}"
        return WalletError("job-too-large", text, hint="split X into blocks of rows")
    bond, most = compute_min_bond(params, reward, -(-size // MIB)), MAX_BOND_SUBSIDIES * compute_subsidy(params, height)
    if bond > most:
        text = f"its bond would be {format_credits(bond)} credits, and at most {format_credits(most)} are allowed"
        return WalletError("bond-too-large", text, hint="split X into blocks of rows, or offer less")
    return find_missing_jury(jurors)


def find_missing_jury(jurors: int) -> WalletError | None:
    """Return the error "no-jury" if the committee without the poster, which has so many members, makes no jury."""
    if jurors >= MIN_JURORS:
        return None
    return WalletError(
        "no-jury",
        f"a jury needs {MIN_JURORS} voters beside the poster, and the committee has {jurors}",
        hint="wait until more nodes vote; a new chain has its first committee after some twenty blocks: "
        "inos finality status",
    )
