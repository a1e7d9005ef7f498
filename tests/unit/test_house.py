"""Checks rules of the source tree that no other tool does: which module may make what, and how many hops a call
takes."""

import ast
from pathlib import Path
from typing import Final

from support.forwarding import count_forwarding, parse_modules

MAX_FORWARDING: Final = 56
"""There were 175 such members before the services were exposed. Lower it when there are fewer; never raise it."""
MAX_IN_A_CLASS: Final = 4
"""At most this many members of one class may only pass a call on. `LedgerView` has more until it is split."""
ROOTS: Final = ("inos/", "light/", "node/")
"""These are the composition roots, and the programs that users start. They choose; all other modules receive the
choice.
"""
UNIT: Final = Path(__file__).parent
ROOT: Final = UNIT.parents[1]
CROSSING: Final = frozenset(
    {
        "consensus/test_provoked_codes.py",
        "core/test_execution_threads.py",
        "core/test_juror_cost.py",
        "inos/bench/test_block_kinds.py",
        "inos/compiler/test_deploying.py",
        "inos/cli/test_json_record.py",
        "inos/test_documents.py",
        "inos/test_exhaustive_dispatch.py",
        "inos/test_namespace.py",
        "network/test_floods.py",
        "rpc/methods/test_real_ledger.py",
        "rpc/server/test_limits.py",
        "workers/client/test_changed_messages.py",
        "workers/pool/test_simulations.py",
        "workers/server/test_changed_messages.py",
    }
)
"""Tests of what holds across the modules of a package."""
CHOICES: Final = frozenset({"SystemClock", "SystemRandom", "get_bls"})


def list_callers(name: str) -> set[str]:
    """Return the modules that call a function or class by this name."""
    return {
        path
        for path, module in parse_modules()
        for node in ast.walk(module)
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == name
    }


def test_core_verification_alone_makes_checked_blocks() -> None:
    assert list_callers("CheckedBlock") == {"core/verification/blocks.py"}


def test_the_arithmetic_of_epochs_is_in_one_module() -> None:
    """Every other module asks `inos.consensus.finality.epochs`, which knows how to round."""
    found = {
        path
        for path, module in parse_modules()
        for node in ast.walk(module)
        if isinstance(node, ast.BinOp | ast.AugAssign)
        and any(isinstance(part, ast.Attribute) and part.attr == "epoch_blocks" for part in ast.walk(node))
    }
    assert found == {"consensus/finality/epochs.py"}


def test_only_composition_roots_choose_clock_randomness_and_signature_backend() -> None:
    for name in CHOICES:
        callers = list_callers(name)
        assert callers, f"nothing calls {name}: the test looks for the wrong name"
        assert not [path for path in callers if not path.startswith(ROOTS)], name


def test_services_are_called_directly_and_not_through_copies_of_their_methods() -> None:
    found = count_forwarding()
    assert sum(len(each.forwarding) for each in found) <= MAX_FORWARDING
    large = [each for each in found if len(each.forwarding) > MAX_IN_A_CLASS and each.name != "LedgerView"]
    assert not large, large


def test_unit_tests_mirror_the_sources() -> None:
    """`tests/unit/<package>/test_<name>.py` tests `<package>/<name>.py` or the package `<package>/<name>/`."""
    places = {path.relative_to(UNIT) for path in UNIT.rglob("test_*.py")}
    named = {
        place for place in places if place.parts[0] not in ("vectors", "docs", "benchmarks") and len(place.parts) > 1
    }
    sources = {place: ROOT / place.parent / place.stem.removeprefix("test_") for place in named}
    lost = {str(place) for place, at in sources.items() if not at.with_suffix(".py").exists() and not at.is_dir()}
    assert lost == CROSSING


def test_commands_print_through_what_escapes_control_characters() -> None:
    """Only the escaping function itself and the completion script, which holds no foreign text, print directly."""
    allowed = {ROOT / "inos/cli/common/output.py", ROOT / "inos/cli/completion.py"}
    for path in sorted((ROOT / "inos/cli").rglob("*.py")):
        calls = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        printing = [call for call in calls if isinstance(call, ast.Name) and call.id == "print"]
        assert path in allowed or not printing, f"{path} prints text that was not escaped: use print_text"
