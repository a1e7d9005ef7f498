"""Request bodies of JSONTestSuite, which a JSON parser must accept, must refuse, or may treat as it likes."""

import json
from pathlib import Path
from typing import Any, Final

import pytest

from inos.rpc import errors
from inos.rpc.server.dispatch import Caller, Dispatcher
from inos.rpc.server.turns import Turns

SUITE: Final = json.loads((Path(__file__).parents[2] / "vectors" / "outside" / "json-test-suite.json").read_text())
LARGE: Final = {
    "n_structure_100000_opening_arrays": "[" * 100_000,
    "n_structure_open_array_object": '[{"":' * 50_000 + "\n",
}


async def get_errors(body: str) -> set[int]:
    """Return the numbers of the errors that the server answers with; the texts hold no valid request."""
    node: Any = None
    answer = await Dispatcher({}, node, Turns(32, 256)).process(body.encode("utf-8"), Caller(is_authorized=False))
    assert answer is not None
    told = json.loads(answer)
    return {one["error"]["code"] for one in (told if isinstance(told, list) else [told])}


def test_the_suite_is_whole() -> None:
    assert {kind: sum(name.startswith(kind) for name in SUITE) for kind in ("y_", "n_", "i_")} == {
        "y_": 95, "n_": 174, "i_": 22,
    }  # fmt: skip


@pytest.mark.parametrize("name", sorted(SUITE | LARGE))
async def test_a_text(name: str) -> None:
    found = await get_errors((SUITE | LARGE)[name])
    if name.startswith("n_"):
        assert found == {errors.PARSE_ERROR}
    elif name.startswith("y_"):
        assert errors.PARSE_ERROR not in found
    assert errors.INTERNAL_ERROR not in found
