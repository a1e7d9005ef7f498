"""Every error that reaches a user says what to do, in its own hint or in the table of hints."""

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from inos.cli.main import COMMANDS, load_command
from inos.consensus.codes import Code
from inos.hints import HINTS
from support.documents import ROOT

PEOPLE = ("inos", "node", "agents", "core", "wallet", "genesis", "mesh", "chain", "light", "programs", "functions")
"""Packages whose errors are shown to users."""
OWN = {
    "RuleViolation",
    "BodyMismatch",
    "InvalidCertificate",
    "CodecError",
    "MatrixMissing",
    "ParentMissing",
    "ClockAhead",
}
"""Errors that show both sides of a comparison, or that are never shown as they are."""


KINDS = ("Error", "Failed", "BadOperand", "Rejected", "InvalidProgram", "InvalidInput", "InvalidFunction")


def list_errors(packages: tuple[str, ...]) -> Iterator[tuple[str, str, bool]]:
    """Yield the place where an error is made, its code if it is a literal, and whether it has a hint of its own."""
    for package in packages:
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call):
                    found = read_call(node)
                    if found is not None:
                        yield f"{path.relative_to(ROOT)}:{node.lineno}", *found


def read_call(node: ast.Call) -> tuple[str, bool] | None:
    name = node.func.id if isinstance(node.func, ast.Name) else ""
    is_fail, is_error = name == "fail", name.endswith(KINDS) and name not in OWN
    code = next(
        (arg.value for arg in node.args[:2] if isinstance(arg, ast.Constant) and isinstance(arg.value, str)), ""
    )
    if not (is_fail or is_error) or not code or " " in code:
        return None
    return code, (is_fail and len(node.args) > 2) or any(word.arg in ("hint", None) for word in node.keywords)


def test_every_error_has_a_next_step() -> None:
    found = list(list_errors((*PEOPLE, "rpc")))
    assert len(found) > 40
    missing = [f"{place}: {code}" for place, code, has_hint in found if not has_hint and code not in HINTS]
    assert not missing, "\n".join(missing)


def test_hints_have_no_period_at_the_end() -> None:
    for code, hint in HINTS.items():
        assert hint == hint.strip()
        assert len(hint) > 10, code
        assert not hint.endswith("."), code


def test_the_table_has_no_unused_code() -> None:
    said = {code for _, code, _ in list_errors((*PEOPLE, "rpc", "consensus", "primitives", "network"))} | set(Code)
    sources = "".join(
        path.read_text()
        for top in ("chain", "core", "agents", "node", "rpc", "inos")
        for path in Path(ROOT / top).rglob("*.py")
    )
    for code in HINTS:
        assert code in said or sources.count(f'"{code}"') > 1, code


def list_hints() -> Iterator[tuple[str, str]]:
    """Yield every hint with its place: those of the table, of `hint=`, and the third argument of `fail`."""
    yield from (("inos/hints.py", hint) for hint in HINTS.values())
    for package in (*PEOPLE, "rpc", "network", "consensus", "primitives", "work", "miner"):
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if not isinstance(node, ast.Call):
                    continue
                given = [word.value for word in node.keywords if word.arg == "hint"]
                if isinstance(node.func, ast.Name) and node.func.id == "fail":
                    given += node.args[2:3]
                for each in given:
                    text = "".join(
                        part.value if isinstance(part, ast.Constant) else "X"
                        for part in (each.values if isinstance(each, ast.JoinedStr) else [each])
                        if isinstance(part, ast.FormattedValue)
                        or (isinstance(part, ast.Constant) and isinstance(part.value, str))
                    )
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", text


def list_options(command: Any) -> set[str]:
    """Return the options of a command and of all commands below it."""
    own = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    return own.union(*(list_options(below) for below in getattr(command, "commands", {}).values()))


def test_hints_name_commands_options_and_functions_that_exist() -> None:
    commands = {name: load_command(name) for name in COMMANDS}
    every = {"--help"}.union(*(list_options(command) for command in commands.values()))
    hints = list(list_hints())
    assert len(hints) > 300
    for place, hint in hints:
        assert "pip install inos" not in hint.replace("'", ""), f"{place}: that package is another project's"
        for name, below in re.findall(r"\binos (?!that )([a-z]+)(?: ([a-z][a-z-]*))?", hint):
            assert name in commands, f"{place}: there is no inos {name}"
            if below and hasattr(commands[name], "commands"):
                assert below in commands[name].commands, f"{place}: there is no inos {name} {below}"
        for option in re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", hint):
            assert option in every, f"{place}: no command takes {option}"
        for module, name in re.findall(r"\b(inos(?:\.[a-z]\w*)*)\.([A-Za-z]\w*)", hint):
            assert hasattr(importlib.import_module(module), name), f"{place}: there is no {module}.{name}"
