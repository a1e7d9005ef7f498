"""Check the committed programs: results, types and costs of each."""

import json
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from inos.programs import Engine, check_program, compute_program_id, decode_program, encode_program, run_program
from inos.programs.json_form import read_given, read_json
from inos.programs.native.library import find_targets
from inos.programs.structure import Inline, Input, Program
from inos.work.files import compute_file_id

ENGINES: Final[tuple[Engine, ...]] = ("numpy", "native") if find_targets() else ("numpy",)
VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "programs.json").read_text())


def test_there_are_120() -> None:
    assert len(VECTORS) == len({vector["name"] for vector in VECTORS}) == 120


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["name"] for vector in VECTORS])
def test_results_types_and_cost(vector: dict[str, Any]) -> None:
    named = read_json(json.dumps(vector).encode())
    checked = check_program(named.program)
    assert [list(msgspec.structs.astuple(each)) for each in checked.results] == vector["types"]
    assert {name: getattr(checked.cost, name) for name in vector["cost"]} == vector["cost"]
    for engine in ENGINES:
        results = run_program(checked, read_given(named, checked.given), engine=engine)
        assert [each.tolist() for each in results] == vector["results"], engine
        assert [each.dtype for each in results] == [each.storage for each in checked.results]


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["name"] for vector in VECTORS])
def test_they_are_encoded_and_read_again(vector: dict[str, Any]) -> None:
    program = read_json(json.dumps(vector).encode()).program
    short = [
        Inline(each.source.data[:64]) if isinstance(each.source, Inline) else each.source for each in program.inputs
    ]
    inputs = [Input(each.type, source) for each, source in zip(program.inputs, short, strict=True)]
    small = Program(tuple(inputs), program.nodes, program.outputs)
    assert decode_program(encode_program(small)) == small
    assert compute_program_id(small) == compute_file_id(encode_program(small))
