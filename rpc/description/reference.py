"""The reference page of all RPC methods, generated from the OpenRPC document."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from inos.rpc.description.openrpc import make_document
from inos.rpc.methods import ALL_METHODS

Schema = Mapping[str, Any]

INTRODUCTION = """# RPC reference

A node answers JSON-RPC 2.0 by POST at its address, `http://127.0.0.1:8645` by default, and over a WebSocket at `/ws`.
Parameters are given by name or by position. Amounts are decimal strings in nano (10^9 nano are one credit), hashes hex,
addresses bech32m, times milliseconds since 1970 UTC.

`inos rpc METHOD '{"name": value}'` calls a method from a shell, and `rpc.discover` returns all of this as an OpenRPC
document. Methods marked *token* require the node's bearer token, which is in `rpc.token` in its data directory.
"""


def make_reference() -> str:
    """Return the whole page in Markdown."""
    document = make_document(ALL_METHODS)
    schemas = document["components"]["schemas"]
    parts = [INTRODUCTION]
    namespaces: dict[str, list[Schema]] = {}
    for method in document["methods"]:
        namespaces.setdefault(method["tags"][0]["name"], []).append(method)
    for namespace, methods in namespaces.items():
        parts.append(f"## {namespace}\n")
        parts += ["\n".join(_describe_method(method, schemas)) for method in methods]
    parts.append("## Notifications\n")
    parts += ["\n".join(_describe_notification(each, schemas)) for each in document["x-notifications"]]
    parts.append("## Types\n")
    parts += ["\n".join(_describe_type(name, schemas[name])) for name in _list_nested(document)]
    parts.append("## Errors\n\n| number | meaning |\n|---|---|")
    parts.append("\n".join(f"| {e['code']} | {e['message']} |" for e in document["components"]["errors"].values()))
    return "\n".join(parts) + "\n"


def _describe_method(method: Schema, schemas: Schema) -> Iterator[str]:
    yield f"### {method['name']}{' *token*' if method.get('x-needs-token') else ''}\n"
    yield f"{method['description'] or method['summary']}\n"
    if method["params"]:
        yield "| parameter | type | |\n|---|---|---|"
        for param in method["params"]:
            text = ("" if param["required"] else "optional. ") + _clean(param.get("description", ""))
            yield f"| `{param['name']}` | {_name_type(param['schema'])} | {text} |"
        yield ""
    yield from _describe_fields("result", _resolve(method["result"]["schema"], schemas))
    for example in method["examples"]:
        params = {param["name"]: param["value"] for param in example["params"] if param["value"] is not None}
        typed = f" '{json.dumps(params)}'" if params else ""
        yield f"```sh\ninos rpc {method['name']}{typed}   # {example['name']}\n```\n"


def _describe_notification(notification: Schema, schemas: Schema) -> Iterator[str]:
    yield f"`{notification['name']}`: {notification['summary']}\n"
    yield from _describe_fields("parameter", _resolve(notification["params"], schemas))


def _describe_type(name: str, schema: Schema) -> Iterator[str]:
    yield f"#### {name} {{#type-{name.lower()}}}\n"
    yield f"{_clean(schema.get('description', ''))}\n"
    if "properties" in schema:
        yield from _describe_fields("field", schema)
    elif "enum" in schema or "anyOf" in schema:
        yield f"One of: {_name_type(schema)}\n"


def _describe_fields(title: str, schema: Schema) -> Iterator[str]:
    yield f"| {title} | type | |\n|---|---|---|"
    for name, field in schema.get("properties", {}).items():
        yield f"| `{name}` | {_name_type(field)} | {_clean(field.get('description', ''))} |"
    if not schema.get("properties"):
        yield f"| | {_name_type(schema)} | {_clean(schema.get('description', ''))} |"
    yield ""


def _list_nested(document: Schema) -> list[str]:
    """Return the names of all types that parameters, results or other types contain."""
    schemas = document["components"]["schemas"]
    results = [_resolve(method["result"]["schema"], schemas) for method in document["methods"]]
    found: set[str] = set()
    for each in (*schemas.values(), *results, *(method["params"] for method in document["methods"])):
        _collect_names(each, found)
    return sorted(found)


def _collect_names(value: Any, found: set[str]) -> None:
    if isinstance(value, Mapping):
        if "$ref" in value:
            found.add(_get_name(value))
        for each in value.values():
            _collect_names(each, found)
    elif isinstance(value, list):
        for each in value:
            _collect_names(each, found)


def _resolve(schema: Schema, schemas: Schema) -> Schema:
    """Return the schema that a reference names; a schema that is not a reference is returned as it is."""
    found: Schema = schemas[_get_name(schema)] if "$ref" in schema else schema
    return found


def _get_name(schema: Schema) -> str:
    return str(schema["$ref"]).rpartition("/")[2]


def _name_type(schema: Schema) -> str:
    """Return a short text for a type, with a link if the type has a name."""
    if "$ref" in schema:
        return f"[{_get_name(schema)}](#type-{_get_name(schema).lower()})"
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    if "enum" in schema:
        return ", ".join(f"`{json.dumps(value)}`" for value in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(_name_type(one) for one in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {_name_type(schema.get('items', {}))}"
    return str(schema.get("type", "any"))


def _clean(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
