"""Every error that reaches a person says what to do: itself, or by its code in the tables of hints."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from inos.cli.common.hints import HINTS
from inos.consensus.codes import Code
from inos.rpc.hints import HINTS as RPC_HINTS
from support.documents import ROOT

PEOPLE = ("inos", "node", "agents", "core", "wallet", "genesis", "mesh", "chain", "light")
"""Packages whose errors end on a person's screen."""
OWN = {
    "RuleViolation",
    "BodyMismatch",
    "InvalidCertificate",
    "CodecError",
    "MatrixMissing",
    "ParentMissing",
    "ClockAhead",
}
"""They tell both sides of a comparison, or are never shown as they are."""


def list_errors(packages: tuple[str, ...]) -> Iterator[tuple[str, str, bool]]:
    """Where an error is made, its code where that stands there, and whether it has a hint of its own."""
    for package in packages:
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call):
                    found = read_call(node)
                    if found is not None:
                        yield f"{path.relative_to(ROOT)}:{node.lineno}", *found


def read_call(node: ast.Call) -> tuple[str, bool] | None:
    name = node.func.id if isinstance(node.func, ast.Name) else ""
    is_fail, is_error = name == "fail", name.endswith(("Error", "Failed", "BadOperand", "Rejected")) and name not in OWN
    code = next(
        (arg.value for arg in node.args[:2] if isinstance(arg, ast.Constant) and isinstance(arg.value, str)), ""
    )
    if not (is_fail or is_error) or not code or " " in code:
        return None
    return code, (is_fail and len(node.args) > 2) or any(word.arg in ("hint", None) for word in node.keywords)


@pytest.mark.parametrize(("packages", "hints"), [(PEOPLE, RPC_HINTS | HINTS), (("rpc",), RPC_HINTS)])
def test_every_error_has_a_next_step(packages: tuple[str, ...], hints: dict[str, str]) -> None:
    found = list(list_errors(packages))
    assert len(found) > 40
    missing = [f"{place}: {code}" for place, code, has_hint in found if not has_hint and code not in hints]
    assert not missing, "\n".join(missing)


def test_hints_are_sentences_for_people() -> None:
    for code, hint in {**HINTS, **RPC_HINTS}.items():
        assert hint == hint.strip()
        assert len(hint) > 10, code
        assert not hint.endswith("."), code


def test_the_tables_have_nothing_that_nobody_says() -> None:
    said = {code for _, code, _ in list_errors((*PEOPLE, "rpc", "consensus", "primitives", "network"))} | set(Code)
    sources = "".join(
        path.read_text()
        for top in ("chain", "core", "agents", "node", "rpc", "inos")
        for path in Path(ROOT / top).rglob("*.py")
    )
    for code in {**HINTS, **RPC_HINTS}:
        assert code in said or sources.count(f'"{code}"') > 1, code
