"""Everything that README and docs name exists: commands, options, make targets, files, RPC methods."""

import re
import shlex
import subprocess
from typing import Any

import pytest
import typer

from inos.cli.main import COMMANDS, load_command
from inos.consensus.params import Params
from inos.rpc.methods import ALL_METHODS
from support.documents import GUIDES, PAGES, ROOT, SHELL, Snippet, read_blocks, read_inline, split_commands

PARAMETERS = set(Params.__struct_fields__)
NAMESPACES = {name.partition("_")[0] for name in ALL_METHODS if "_" in name}


def find_typed() -> list[Snippet]:
    """Return everything in a page that reads as a command of this project."""
    commands = [one for page in (*PAGES, *GUIDES) for block in read_blocks(page) if block.language == SHELL
                for one in split_commands(block)]  # fmt: skip
    inline = [one for page in (*PAGES, *GUIDES) for one in read_inline(page)]
    return [one for one in (*commands, *inline) if re.match(r"(\.venv/bin/)?inos [a-z-]|make [a-z]", one.text)]


TYPED = find_typed()


def test_the_pages_were_read() -> None:
    assert len(TYPED) > 80
    assert {"README.md", "docs/operators.md", "docs/jobs.md"} <= {one.page for one in TYPED}


@pytest.mark.parametrize("typed", TYPED, ids=str)
def test_commands_and_their_options_are_there(typed: Snippet) -> None:
    words = shlex.split(typed.text.replace("\\\n", " "), comments=True)
    if words[0] == "make":
        targets = [word for word in words[1:] if "=" not in word]
        done = subprocess.run(["make", "-n", *targets], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, f"{typed}: {done.stderr}"
        return
    for names in _spread(words[1]):
        _check_words(typed, [names, *words[2:]])


def _spread(word: str) -> list[str]:
    return word.split("|")


def _check_words(typed: Snippet, words: list[str]) -> None:
    if words[0].startswith("-"):
        return
    assert words[0] in COMMANDS, f"{typed}: there is no inos {words[0]}"
    command: Any = load_command(words[0])
    rest = words[1:]
    while isinstance(command, typer.core.TyperGroup) and rest and not rest[0].startswith("-"):
        names = [name for name in _spread(rest[0]) if name]
        for name in names:
            assert name in command.commands, f"{typed}: there is no inos {words[0]} {name}"
        command, rest = command.commands[names[0]], rest[1:]
    options = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    for word in rest:
        if word in (">", "|", ";"):
            break
        if re.fullmatch(r"--?[a-z].*", word) and word != "--help":
            assert word.partition("=")[0] in options, f"{typed}: {words[0]} takes no {word}"


def test_methods_that_are_named_are_there() -> None:
    for page in (*PAGES, *GUIDES):
        for one in read_inline(page):
            match = re.fullmatch(r"([a-z]+)_([a-zA-Z]+)(\(.*\))?", one.text)
            if (
                match
                and match[1] in NAMESPACES
                and (ROOT / "rpc" / "methods" / match[1]).exists()
                and one.text not in PARAMETERS
            ):
                assert f"{match[1]}_{match[2]}" in ALL_METHODS, f"{one}: there is no method {one.text}"


def test_files_that_are_named_are_there() -> None:
    tops = {path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")}
    for page in (*PAGES, *GUIDES):
        for one in read_inline(page):
            if re.fullmatch(r"[\w./-]+", one.text) and one.text.partition("/")[0] in tops and "/" in one.text:
                assert (ROOT / one.text).exists(), f"{one}: there is no {one.text}"
