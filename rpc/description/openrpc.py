"""The OpenRPC document: every method with its parameters and result, generated from their types."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from pydantic import RootModel
from pydantic.json_schema import models_json_schema

from inos.rpc.errors import MEANINGS
from inos.rpc.method import Example, Method
from inos.rpc.methods.node.version import get_version
from inos.rpc.models.values import NoParams
from inos.rpc.ports import NodePort
from inos.rpc.subscriptions.notifications import SubscriptionNotificationModel

OPENRPC_VERSION: Final = "1.3.2"
REF_TEMPLATE: Final = "#/components/schemas/{model}"
DISCOVER: Final = "rpc.discover"
RECORDED: Final = Path(__file__).with_name("examples.json")
"""Results of the examples by method and name, recorded from a test chain by `make models`."""

Schema = dict[str, Any]


class DocumentModel(RootModel[dict[str, Any]]):
    """An OpenRPC document."""


def with_discover(methods: Mapping[str, Method]) -> dict[str, Method]:
    """Return the methods and `rpc.discover`, which describes them.

    The document does not list `rpc.discover` itself, since OpenRPC reserves that name and generated clients have it
    already.
    """

    async def discover(node: NodePort, params: NoParams) -> DocumentModel:
        return document

    described = Method(
        name=DISCOVER,
        call=discover,
        params=NoParams,
        result=DocumentModel,
        summary="Return this document.",
        description="Return an OpenRPC document that describes every method of this node.",
        timeout_s=5.0,
        is_protected=False,
        examples=(),
    )
    document = DocumentModel(make_document(methods))
    return {**methods, DISCOVER: described}


def make_document(methods: Mapping[str, Method]) -> dict[str, Any]:
    """Return the OpenRPC document of `methods`."""
    ordered = [methods[name] for name in sorted(methods)]
    inputs, results, notification, definitions = _make_schemas(ordered)
    return {
        "openrpc": OPENRPC_VERSION,
        "info": {
            "title": "INOS node",
            "version": get_version(),
            "description": "Amounts are decimal strings in nano, hashes hex, addresses bech32m, times milliseconds "
            "since 1970 UTC.",
        },
        "methods": [_describe(m, inputs[m.name], results[m.name]) for m in ordered],
        "x-notifications": [
            {
                "name": "subscription",
                "summary": "What a subscription reports, on the WebSocket of the subscription.",
                "params": notification,
            }
        ],
        "components": {"schemas": definitions, "errors": _describe_errors()},
    }


def _describe(method: Method, inputs: dict[str, Any], result: dict[str, Any]) -> dict[str, Any]:
    required = inputs.get("required", [])
    described: dict[str, Any] = {
        "name": method.name,
        "summary": method.summary,
        "description": method.description,
        "tags": [{"name": method.name.partition("_")[0]}],
        "paramStructure": "either",
        "params": [
            {
                "name": name,
                "required": name in required,
                "schema": schema,
                **({"description": schema["description"]} if "description" in schema else {}),
            }
            for name, schema in inputs.get("properties", {}).items()
        ],
        "result": {"name": _name(method.result.__name__), "schema": result},
        "errors": [{"$ref": f"#/components/errors/{-number}"} for number in MEANINGS],
        "examples": [_describe_example(method.name, example, inputs) for example in method.examples],
    }
    if method.is_protected:
        described["x-needs-token"] = True
    return described


def _describe_example(method: str, example: Example, inputs: Schema) -> dict[str, Any]:
    """Describe an example, whose parameters can be read by name and by position.

    Parameters that the example leaves out stand with their defaults if one after them is given.
    """
    names = list(inputs.get("properties", {}))
    last = max((names.index(name) for name in example.params), default=-1)
    described: dict[str, Any] = {
        "name": example.name,
        "params": [
            {"name": name, "value": example.params.get(name, inputs["properties"][name].get("default"))}
            for name in names[: last + 1]
        ],
    }
    recorded = _read_recorded().get(method, {})
    if example.name in recorded:
        described["result"] = {"name": "result", "value": recorded[example.name]}
    return described


@cache
def _read_recorded() -> dict[str, dict[str, Any]]:
    recorded: dict[str, dict[str, Any]] = json.loads(RECORDED.read_text("utf-8"))
    return recorded


def _describe_errors() -> dict[str, Any]:
    return {str(-number): {"code": number, "message": meaning} for number, meaning in MEANINGS.items()}


def _make_schemas(methods: list[Method]) -> tuple[dict[str, Schema], dict[str, Schema], Schema, dict[str, Schema]]:
    """Return the parameters and the results of all methods, the notification's parameters, and all named schemas.

    A method's parameters are listed one by one, so their models are not among the named schemas.
    """
    schemas, components = models_json_schema(
        [
            *((m.params, "validation") for m in methods),
            *((m.result, "serialization") for m in methods),
            (SubscriptionNotificationModel, "serialization"),
        ],
        ref_template=REF_TEMPLATE,
        by_alias=False,
    )
    definitions: dict[str, Schema] = components.get("$defs", {})
    inputs = {m.name: _resolve(schemas[(m.params, "validation")], definitions) for m in methods}
    results = {m.name: schemas[(m.result, "serialization")] for m in methods}
    notification = schemas[(SubscriptionNotificationModel, "serialization")]
    used: set[str] = set()
    for schema in (*inputs.values(), *results.values(), notification):
        _collect_names(schema, definitions, used)
    named = {_name(name): _rename(definitions[name]) for name in sorted(used)}
    for name in named.keys() & {_name_type(m.name) for m in methods}:
        named[name]["title"] = f"{name}Result"
    return _rename(inputs), _rename(results), _rename(notification), named


def _collect_names(value: Any, definitions: Mapping[str, Schema], used: set[str]) -> None:
    """Add to `used` the names of all schemas that a schema refers to, directly or through others."""
    if isinstance(value, dict):
        name = str(value.get("$ref", "")).rpartition("/")[2]
        if name and name not in used:
            used.add(name)
            _collect_names(definitions[name], definitions, used)
        for each in value.values():
            _collect_names(each, definitions, used)
    elif isinstance(value, list):
        for each in value:
            _collect_names(each, definitions, used)


def _rename(value: Any) -> Any:
    """Return a copy of a schema in which every reference and title has the schema's name in the document."""
    if isinstance(value, dict):
        return {
            key: _name(each) if key in ("$ref", "title") and isinstance(each, str) else _rename(each)
            for key, each in value.items()
        }
    return [_rename(each) for each in value] if isinstance(value, list) else value


def _name(model: str) -> str:
    """Return a model's name in the document, which is the class's name without the suffix Model."""
    return model.removesuffix("Model")


def _name_type(method: str) -> str:
    """Return the type's name that generated clients give a method, e.g. ChainHead; a schema must have another title."""
    return "".join(part[:1].upper() + part[1:] for part in method.split("_"))


def _resolve(schema: dict[str, Any], definitions: Mapping[str, Schema]) -> Schema:
    """Return the schema that a reference names; a schema that is not a reference is returned as it is."""
    reference = schema.get("$ref")
    if reference is None:
        return schema
    found: dict[str, Any] = definitions[reference.rpartition("/")[2]]
    return found
