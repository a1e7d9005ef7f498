"""Writes the tables of messages and offences into a document: `python -m inos.workers.table docs/workers.md`."""

import sys
from pathlib import Path
from typing import Final, cast

from inos.workers.limits import LIMITS, OFFENCES
from inos.workers.messages import WORKER_KINDS

BEGIN: Final = "<!-- limits: written by python -m inos.workers.table -->\n"
END: Final = "<!-- end of limits -->\n"


def render_tables() -> str:
    """Return a Markdown table of every message with its limits, and one of every offence with its cost."""
    rows = ["| tag | message | sent by | max size | per second (burst) |", "|---|---|---|---|---|"]
    for kind, limit in LIMITS.items():
        tag = cast(int, kind.__struct_config__.tag)
        sender = "worker" if kind in WORKER_KINDS else "node"
        rate = f"{limit.per_s:g} ({limit.burst})" if limit.burst else "not counted"
        rows.append(f"| {tag} | `{kind.__name__}` | {sender} | {limit.max_bytes} B | {rate} |")
    rows += ["", "| offence | the worker is refused for |", "|---|---|"]
    rows += [
        f"| `{code}` | {f'{seconds} s' if seconds else 'it may connect again'} |" for code, seconds in OFFENCES.items()
    ]
    return "\n".join(rows) + "\n"


def insert_tables(text: str) -> str:
    """Return the document with new tables between its two marks.

    Raises:
        ValueError: the marks are missing.
    """
    before, _, rest = text.partition(BEGIN)
    _, mark, after = rest.partition(END)
    if not mark:
        raise ValueError(f"the document has no marks for the tables: add the lines {BEGIN.strip()} and {END.strip()}")
    return f"{before}{BEGIN}\n{render_tables()}\n{END}{after}"


if __name__ == "__main__":
    page = Path(sys.argv[1])
    page.write_text(insert_tables(page.read_text(encoding="utf-8")), encoding="utf-8")
