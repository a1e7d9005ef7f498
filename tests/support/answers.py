"""Check the answers of nodes against the OpenRPC document that they publish."""

from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from inos.light.methods import METHODS as LIGHT_METHODS
from inos.rpc.description.openrpc import make_document
from inos.rpc.methods import ALL_METHODS


@cache
def _get_validators(is_light: bool) -> dict[str, Draft202012Validator]:
    document = make_document(LIGHT_METHODS if is_light else ALL_METHODS)
    components = {"components": document["components"]}
    return {one["name"]: Draft202012Validator(one["result"]["schema"] | components) for one in document["methods"]}


def check_answer(method: str, result: Any, *, is_light: bool = False) -> None:
    """Raise if a result of a node or a light client does not match the document.

    Raises:
        AssertionError: it names the method, the place in the result, and what is wrong there.
    """
    validator = _get_validators(is_light).get(method)
    assert validator is not None, f"the document does not know {method}"
    for error in validator.iter_errors(result):
        raise AssertionError(f"{method} answered with {error.json_path}: {error.message}")
