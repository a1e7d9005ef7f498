"""What a devnet says once it runs: its nodes, its funded account, and commands to try."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from inos.node.process import RunningNode
from inos.primitives.units import Nano, format_credits

DEV_PHRASE: Final = "test test test test test test test test test test test junk"
"""The well-known phrase of the devnet preset's one funded account. It is public, so its credits are worth nothing."""
DEFAULT_RPC: Final = "http://127.0.0.1:8645"


def describe_start(
    nodes: Sequence[RunningNode], folder: Path, address: str, balance: str | None, *, is_kept: bool
) -> str:
    """Return the lines that are printed before the live view.

    Args:
        balance: that of the funded account in nano; None if it could not be read.
        is_kept: the folder stays after the devnet has stopped.
    """
    first = nodes[0].rpc_url
    rpc = "" if first == DEFAULT_RPC else f" --rpc {first}"
    kept = "kept" if is_kept else "removed at the end; --data-dir keeps it"
    credits = "-" if balance is None else format_credits(Nano(int(balance)))
    return "\n".join(
        (
            "",
            f"data      {folder}  ({kept})",
            f"explorer  {first}/explorer/",
            f"work      {first}/explorer/work/  (work in a browser)",
            *(f"{'' if number else 'rpc':<9} {node.rpc_url}  {node.name}" for number, node in enumerate(nodes)),
            f"account   {address}  {credits} credits",
            f"phrase    {DEV_PHRASE}",
            "          (public: anybody can spend what it owns; use it on devnets only)",
            "",
            "try in another terminal, after: source .venv/bin/activate",
            f"  inos status{rpc}",
            f"  inos top --data-dir {nodes[0].spec.data_dir}",
            f"  inos job list{rpc}",
            f"  inos job quote 512 256 1024{rpc}",
            "  inos wallet restore --wallet dev     # asks for the phrase above",
            f"  inos wallet balance --wallet dev{rpc}",
            "",
        )
    )
