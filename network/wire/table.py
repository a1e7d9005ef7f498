"""Writes the table of messages into a document: `python -m inos.network.wire.table docs/network.md`."""

import sys
from pathlib import Path
from typing import Final

from inos.network.wire.base import Message, Notice, Reply, Request
from inos.network.wire.limits import BAN, LIMITS, Limit
from inos.network.wire.messages import KINDS

BEGIN: Final = "<!-- messages: written by python -m inos.network.wire.table -->\n"
END: Final = "<!-- end of messages -->\n"


def render_table() -> str:
    """Return a Markdown table of every kind of message with its tag and its row of `inos.network.wire.limits`."""
    rows = [
        "| tag | message | sort | lane | max size | per second (burst) | work | over the rate |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for kind in sorted(KINDS, key=lambda kind: int(kind.__struct_config__.tag or 0)):
        limit = LIMITS[kind]
        rows.append(
            f"| {kind.__struct_config__.tag} | `{kind.__name__}` | {_name_sort(kind)} | {limit.lane.name.lower()} "
            f"| {_show_bytes(limit.max_bytes)} | {_show_rate(limit)} | {limit.cost_ms:g} ms | {_show_penalty(limit)} |"
        )
    return "\n".join(rows) + "\n"


def insert_table(text: str) -> str:
    """Return the document with a new table between its two marks.

    Raises:
        ValueError: the marks are missing.
    """
    before, _, rest = text.partition(BEGIN)
    _, mark, after = rest.partition(END)
    if not mark:
        raise ValueError(f"the document has no marks for the table: add the lines {BEGIN.strip()} and {END.strip()}")
    return f"{before}{BEGIN}\n{render_table()}\n{END}{after}"


def _name_sort(kind: type[Message]) -> str:
    for sort, name in ((Request, "request"), (Reply, "reply"), (Notice, "notice")):
        if issubclass(kind, sort):
            return name
    return "link"


def _show_bytes(count: int) -> str:
    if count < 1024:
        return f"{count} B"
    return f"{count // 1024} KiB" if count < 1 << 20 else f"{count / (1 << 20):.3g} MiB"


def _show_rate(limit: Limit) -> str:
    return f"{limit.per_s:g} ({limit.burst})" if limit.burst else "as requested"


def _show_penalty(limit: Limit) -> str:
    return f"{limit.penalty} points" if limit.burst else f"unrequested: 20 points, wrong: {BAN}"


if __name__ == "__main__":
    page = Path(sys.argv[1])
    page.write_text(insert_table(page.read_text(encoding="utf-8")), encoding="utf-8")
