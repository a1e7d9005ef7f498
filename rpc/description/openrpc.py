"""The OpenRPC document: every method with its parameters and result, made from the typed methods themselves."""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import RootModel
from pydantic.json_schema import models_json_schema

from inos.rpc.errors import MEANINGS
from inos.rpc.method import Example, Method
from inos.rpc.methods.node.status import get_version
from inos.rpc.ports import NodePort
from inos.rpc.schemas import NoParams
from inos.rpc.subscriptions.notifications import Notification

OPENRPC_VERSION: Final = "1.3.2"
REF_TEMPLATE: Final = "#/components/schemas/{model}"
DISCOVER: Final = "rpc.discover"


class Document(RootModel[dict[str, Any]]):
    """An OpenRPC document."""


def with_discover(methods: Mapping[str, Method]) -> dict[str, Method]:
    """The methods and `rpc.discover`, which describes them."""

    async def discover(node: NodePort, params: NoParams) -> Document:
        return document

    described = Method(
        name=DISCOVER,
        call=discover,
        params=NoParams,
        result=Document,
        summary="This document.",
        description="An OpenRPC document that describes every method of this node.",
        timeout_s=5.0,
        is_protected=False,
        examples=(),
    )
    whole = {**methods, DISCOVER: described}
    document = Document(make_document(whole))
    return whole


def make_document(methods: Mapping[str, Method]) -> dict[str, Any]:
    """The OpenRPC document of `methods`."""
    ordered = [methods[name] for name in sorted(methods)]
    schemas, components = models_json_schema(
        [
            *((m.params, "validation") for m in ordered),
            *((m.result, "serialization") for m in ordered),
            (Notification, "serialization"),
        ],
        ref_template=REF_TEMPLATE,
        by_alias=False,
    )
    definitions: dict[str, Any] = components.get("$defs", {})
    results = {m.name: schemas[(m.result, "serialization")] for m in ordered}
    inputs = {m.name: _resolve(schemas[(m.params, "validation")], definitions) for m in ordered}
    return {
        "openrpc": OPENRPC_VERSION,
        "info": {
            "title": "INOS node",
            "version": get_version(),
            "description": "Amounts are decimal strings in nano, hashes hex, addresses bech32m, times ms since 1970.",
        },
        "methods": [_describe(m, inputs[m.name], results[m.name]) for m in ordered],
        "x-notifications": [
            {
                "name": "subscription",
                "summary": "What a subscription tells, over the WebSocket it was made on.",
                "params": schemas[(Notification, "serialization")],
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
        "result": {"name": method.result.__name__, "schema": result},
        "errors": [{"$ref": f"#/components/errors/{-number}"} for number in MEANINGS],
        "examples": [_describe_example(example) for example in method.examples],
    }
    if method.is_protected:
        described["x-needs-token"] = True
    return described


def _describe_example(example: Example) -> dict[str, Any]:
    described: dict[str, Any] = {
        "name": example.name,
        "params": [{"name": name, "value": value} for name, value in example.params.items()],
    }
    if example.result is not None:
        described["result"] = {"name": "result", "value": example.result}
    return described


def _describe_errors() -> dict[str, Any]:
    return {str(-number): {"code": number, "message": meaning} for number, meaning in MEANINGS.items()}


def _resolve(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """A model's own schema where only a reference to it stands."""
    reference = schema.get("$ref")
    if reference is None:
        return schema
    found: dict[str, Any] = definitions[reference.rpartition("/")[2]]
    return found
