"""The commands in README and docs, read from the Markdown."""

import re
import subprocess
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
"""Decisions are history and are left out."""
GUIDES: Final = (ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md")
"""Pages for developers. What they name is tested, and their commands are not run."""
SHELL: Final = "sh"


class Snippet(NamedTuple):
    """A fenced block, or one command of it."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def read_blocks(page: Path) -> list[Snippet]:
    """Return every fenced block of a page."""
    found, text = [], page.read_text(encoding="utf-8")
    for match in re.finditer(r"^```(\w*)[^\n]*\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        line = text.count("\n", 0, match.start(2)) + 1
        found.append(Snippet(str(page.relative_to(ROOT)), line, match[1], match[2]))
    return found


def read_inline(page: Path) -> list[Snippet]:
    """Return every text between backticks in a page's running text."""
    text = re.sub(r"^```.*?^```", lambda m: "\n" * m[0].count("\n"), page.read_text("utf-8"), flags=re.S | re.M)
    return [
        Snippet(str(page.relative_to(ROOT)), text.count("\n", 0, match.start()) + 1, "", " ".join(match[1].split()))
        for match in re.finditer(r"`([^`]+)`", text)
    ]


def split_commands(block: Snippet) -> list[Snippet]:
    """Split a shell block into commands, each with the fewest lines that bash accepts."""
    found: list[Snippet] = []
    waiting: list[str] = []
    for number, line in enumerate(block.text.splitlines(), block.line):
        waiting.append(line)
        is_whole = not line.endswith("\\") and _is_whole("\n".join(waiting))
        if is_whole:
            text = "\n".join(waiting)
            if text.strip():
                found.append(Snippet(block.page, number - len(waiting) + 1, SHELL, text))
            waiting = []
    assert not waiting, f"{block}: no end of {waiting}"
    return found


def _is_whole(text: str) -> bool:
    return subprocess.run(["bash", "-n", "-c", text], capture_output=True).returncode == 0
