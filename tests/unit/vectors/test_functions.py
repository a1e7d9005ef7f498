"""The committed vectors of functions: specs, units, runs by workers and checkers, refused modules."""

import json
from pathlib import Path
from typing import Any

import pytest

from inos.functions import (
    Delivered,
    FunctionSpec,
    InvalidFunction,
    NoOutcome,
    Role,
    compute_units,
    decode_spec,
    encode_spec,
    inspect_module,
    run,
)

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "functions.json").read_text())


@pytest.mark.parametrize("vector", VECTORS["specs"])
def test_specs_and_units(vector: dict[str, Any]) -> None:
    seed = None if vector["seed"] is None else bytes.fromhex(vector["seed"])
    args = tuple(bytes.fromhex(arg) for arg in vector["args"])
    bounds = (vector["pages"], vector["steps"], vector["output_bytes"])
    spec = FunctionSpec(1, bytes.fromhex(vector["module"]), args, *bounds, seed)
    assert encode_spec(spec).hex() == vector["encoded"]
    assert decode_spec(bytes.fromhex(vector["encoded"])) == spec
    assert compute_units(spec, vector["module_bytes"], vector["input_bytes"]) == vector["units"]


@pytest.mark.parametrize("vector", VECTORS["runs"], ids=lambda vector: vector["name"])
def test_runs(vector: dict[str, Any]) -> None:
    spec, task = decode_spec(bytes.fromhex(vector["spec"])), bytes.fromhex(VECTORS["task"])
    module, stdin = bytes.fromhex(vector["module"]), bytes.fromhex(vector["stdin"])
    outcome = run(spec, module, stdin, role=Role.CHECKER, seed=task)
    if vector["stdout"] is not None:
        assert isinstance(outcome, Delivered)
        assert outcome.stdout.hex() == vector["stdout"]
    else:
        assert isinstance(outcome, NoOutcome)
        assert (outcome.reason, outcome.exit_code) == (vector["reason"], vector["exit_code"])


@pytest.mark.parametrize("vector", VECTORS["refused"], ids=lambda vector: vector["code"])
def test_refused_modules(vector: dict[str, str]) -> None:
    with pytest.raises(InvalidFunction) as refused:
        inspect_module(bytes.fromhex(vector["module"]))
    assert refused.value.code == vector["code"]


def test_every_kind_is_there() -> None:
    assert {vector["reason"] for vector in VECTORS["runs"]} == {
        None, "trap", "out-of-steps", "stack", "exit-code", "output-too-large", "memory",
    }  # fmt: skip
    assert len({vector["code"] for vector in VECTORS["refused"]}) == 10
