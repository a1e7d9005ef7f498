"""What commands print of files and nodes that others wrote."""

import json
import sys

import pytest

from inos.cli.common.output import CommandError, print_error, print_json, print_text, print_warning
from inos.primitives.printable import make_printable

HOSTILE = "a\x1b]0;owned\x07b\x1b[2Jc\x9b31md\x7fe\u202ef\udcffg\r"
SHOWN = r"a\u001b]0;owned\u0007b\u001b[2Jc\u009b31md\u007fe\u202ef\udcffg\u000d"


def test_control_characters_are_escaped_and_text_stays() -> None:
    assert make_printable(HOSTILE) == SHOWN
    assert make_printable("Zürich\t✓\n東京") == "Zürich\t✓\n東京"


def test_nothing_hostile_reaches_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    print_error(CommandError("code", HOSTILE, hint=HOSTILE), as_json=False)
    print_warning(HOSTILE)
    print_text(HOSTILE, file=sys.stderr)
    print_json({"name": HOSTILE})
    print_error(CommandError("code", HOSTILE, hint=HOSTILE), as_json=True)
    shown = capsys.readouterr()
    for text in (shown.out, shown.err):
        assert text.replace("\n", "").isprintable()
    assert shown.err.count(SHOWN) == 4
    first = json.loads(shown.out[: shown.out.index("}\n") + 1])
    assert first == {"name": HOSTILE}, "programs read the very text"


def test_what_begins_and_ends_a_line_is_printed_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    print_text("a\rb", start="\r", end="")
    assert capsys.readouterr().out == "\ra\\u000db"
