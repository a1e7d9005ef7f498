"""The board drawn with rich, in 80 columns and 24 lines."""

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from inos.consensus.prices import PPM, compute_window_share
from inos.primitives.printable import make_printable
from inos.primitives.units import format_credits
from inos.top.board import Board, compute_gops
from inos.widths import ByWidth

SHOWN_BLOCKS = 8
UNKNOWN = "-"
PLURALS = {"page": "pages", "card": "cards", "machine": "machines"}


def render(board: Board) -> Group:
    """Return one frame."""
    return Group(_render_chain(board), _render_miner(board), _render_blocks(board))


def _pairs(*pairs: tuple[str, str]) -> Text:
    text = Text()
    for name, value in pairs:
        text.append(f"{name} ", "dim")
        text.append(f"{make_printable(value)}   ", "bold")
    return text


def _render_chain(board: Board) -> Panel:
    tip = board.tip
    lines = Text("\n").join(
        (
            _pairs(
                ("height", _show(board.height)),
                ("final", _show(board.final_height)),
                ("peers", _show(board.peers)),
                ("waiting", f"{_show(board.pool)} transactions"),
            ),
            _pairs(
                ("difficulty", "-" if tip is None else f"{tip['difficulty']} tickets"),
                ("block time", UNKNOWN if board.spacing_s is None else f"{board.spacing_s:.1f} s"),
                ("paid share", UNKNOWN if board.share is None else f"{board.share.paid_ppm / PPM:.1%}"),
                ("burned of the subsidy", UNKNOWN if board.share is None else f"{board.share.burned_ppm / PPM:.1%}"),
            ),
            _pairs(("network", _show_rate(board.chain_rate))),
        )
    )
    problem = Text(make_printable(board.problem), "bold red") if board.problem else Text("Ctrl-C ends it", "dim")
    return Panel(
        lines, title=Text(make_printable(f"{board.network}  {board.url}")), subtitle=problem, border_style="cyan"
    )


def _render_miner(board: Board) -> Panel:
    miner = board.miner
    if miner is None:
        text = Text(_describe_missing_miner(board), "dim")
        return Panel(text, title="miner", border_style="dim")
    earned = board.earnings
    doing = miner["state"] if miner["job"] is None else f"{miner['state']} {miner['job'][:16]}…"
    lines = Text("\n").join(
        (
            _pairs(("state", doing), ("rate", _show_rate(board.miner_rate))),
            *_render_workers(board),
            _pairs(
                ("jobs settled", str(miner["jobs_settled"])),
                ("lost", str(miner["jobs_lost"])),
                ("without a fetch", f"{miner['jobs_taken_held']} of {miner['jobs_taken']}"),
                ("blocks won", str(miner["blocks_won"])),
            ),
            _pairs(
                (
                    "earned since start",
                    f"{format_credits(earned.rewards)} by blocks, {format_credits(earned.jobs)} by jobs",
                ),
            ),
            _pairs(
                ("balance", f"{_show_credits(earned.balance)} credits"),
                ("reputation", f"{_show_credits(earned.reputation)} credits burned"),
            ),
        )
    )
    return Panel(lines, title=Text(make_printable(f"miner  {miner['beneficiary']}")), border_style="green")


def _render_workers(board: Board) -> list[Text]:
    """Return a line for each kind of worker that is here, and one for what they did wrong."""
    if board.workers is None:
        return []
    lines = [
        _pairs(
            (_count_workers(group), f"{group['tickets_per_second']:,.0f} tickets/s"),
            ("pieces", str(group["pieces"])),
            ("late", str(group["late"])),
        )
        for group in board.workers["groups"]
        if group["kind"] in PLURALS
    ]
    errors = board.workers["errors"]
    if errors:
        lines.append(_pairs(("workers refused", ", ".join(f"{code} {count}" for code, count in errors.items()))))
    return lines


def _count_workers(group: Mapping[str, Any]) -> str:
    return f"{group['workers']} {group['kind'] if group['workers'] == 1 else PLURALS[group['kind']]}"


def _render_blocks(board: Board) -> ByWidth:
    return ByWidth(_render_wide_blocks(board), _render_narrow_blocks(board))


def _render_narrow_blocks(board: Board) -> Table:
    table = Table(expand=True, box=box.SIMPLE_HEAD, border_style="dim", padding=0)
    for name in ("height", "paid work", "after parent"):
        table.add_column(name, justify="right", no_wrap=True)
    for block in list(board.blocks)[: -SHOWN_BLOCKS - 1 : -1]:
        cells = _cells(block)
        table.add_row(cells[0], cells[2], cells[-1])
    return table


def _render_wide_blocks(board: Board) -> Table:
    table = Table(expand=True, box=box.SIMPLE_HEAD, border_style="dim", padding=0)
    for name, justify in (
        ("height", "right"),
        ("multiplied", "left"),
        ("paid work", "right"),
        ("transactions", "right"),
    ):
        table.add_column(name, justify="right" if justify == "right" else "left", no_wrap=True)
    table.add_column("miner", no_wrap=True)
    table.add_column("after parent", justify="right")
    for block in list(board.blocks)[: -SHOWN_BLOCKS - 1 : -1]:
        table.add_row(*_cells(block))
    return table


def _cells(block: dict[str, object]) -> list[str]:
    product, weight = block["product"], int(str(block["weight"] or 0))
    made = f"{product['m']} x {product['k']} x {product['n']}" if isinstance(product, dict) else "genesis"
    settled = int(str(block["tickets_settled"] or 0))
    share = compute_window_share(settled=settled, weight=weight, settled_burn=0, subsidies=0).paid_ppm / PPM
    return [
        str(block["height"]),
        made,
        f"{share:.0%}",
        str(block["transactions"]),
        make_printable(str(block["beneficiary"])[:14]) + "…",
        f"{int(str(block['spacing_ms'])) / 1000:.1f} s",
    ]


def render_line(board: Board) -> str:
    """Return the board as one line, for output that is not a terminal; what is not known is left out."""
    if board.problem:
        return f"no connection: {board.problem}"
    parts = [
        f"height {_show(board.height)}  final {_show(board.final_height)}  peers {_show(board.peers)}",
        f"network {_show_rate(board.chain_rate)}",
    ]
    if board.share is not None:
        parts.append(f"paid share {board.share.paid_ppm / PPM:.1%}")
    if board.miner is not None:
        parts.append(f"miner {_show_rate(board.miner_rate)} {board.miner['state']}")
    if board.earnings.balance is not None:
        parts.append(f"balance {format_credits(board.earnings.balance)} credits")
    return "  ".join(parts)


def _show(value: int | None) -> str:
    return UNKNOWN if value is None else str(value)


def _show_credits(value: int | None) -> str:
    return UNKNOWN if value is None else format_credits(value)


def _show_rate(rate: float | None) -> str:
    return UNKNOWN if rate is None else f"{rate:,.0f} tickets/s = {compute_gops(rate):,.2f} GOP/s"


def _describe_missing_miner(board: Board) -> str:
    if not board.is_whole:
        return "not known yet"
    if board.has_token:
        return "this node does not mine"
    return "give --data-dir or --token-file to see the node's miner, if it has one"
