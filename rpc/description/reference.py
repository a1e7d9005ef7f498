"""The reference of all RPC methods for people, made from the same description as the OpenRPC document."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from inos.rpc.description.openrpc import make_document, with_discover
from inos.rpc.methods import ALL_METHODS

INTRODUCTION = """# RPC reference

A node answers JSON-RPC 2.0 by POST at its address (`http://127.0.0.1:8645` by default), and on a WebSocket at `/ws`.
Amounts are decimal strings in nano (10^9 nano are one credit), hashes hex, addresses bech32m, times milliseconds since
1970 UTC. Parameters go by name or by position. `inos rpc METHOD '{"name": value}'` calls any of them from a shell;
`rpc.discover` returns all of this as an OpenRPC document. Methods marked *token* need the node's bearer token, which is
in `rpc.token` in its data directory.
"""


def make_reference() -> str:
    """The whole page in Markdown."""
    document = make_document(with_discover(ALL_METHODS))
    parts = [INTRODUCTION]
    spaces: dict[str, list[dict[str, Any]]] = {}
    for method in document["methods"]:
        spaces.setdefault(method["tags"][0]["name"], []).append(method)
    for space, methods in spaces.items():
        parts.append(f"## {space}\n")
        parts += ["\n".join(_describe(method, document["components"]["schemas"])) for method in methods]
    parts.append("## Errors\n\n| number | meaning |\n|---|---|")
    parts.append("\n".join(f"| {e['code']} | {e['message']} |" for e in document["components"]["errors"].values()))
    return "\n".join(parts) + "\n"


def _describe(method: Mapping[str, Any], schemas: Mapping[str, Any]) -> Iterator[str]:
    yield f"### {method['name']}{' *token*' if method.get('x-needs-token') else ''}\n"
    yield f"{method['description'] or method['summary']}\n"
    if method["params"]:
        yield "| parameter | type | |\n|---|---|---|"
        for param in method["params"]:
            text = ("" if param["required"] else "optional. ") + _clean(param.get("description", ""))
            yield f"| `{param['name']}` | {_name_type(param['schema'])} | {text} |"
        yield ""
    yield "| result | type | |\n|---|---|---|"
    schema = method["result"]["schema"]
    result = schemas.get(schema.get("$ref", "").rpartition("/")[2], schema)
    for name, member in result.get("properties", {}).items():
        yield f"| `{name}` | {_name_type(member)} | {_clean(member.get('description', ''))} |"
    if not result.get("properties"):
        yield f"| | {_name_type(schema)} | {_clean(result.get('description', ''))} |"
    yield ""
    for example in method["examples"]:
        params = {param["name"]: param["value"] for param in example["params"]}
        typed = f" '{json.dumps(params)}'" if params else ""
        yield f"```sh\ninos rpc {method['name']}{typed}   # {example['name']}\n```\n"


def _name_type(schema: Mapping[str, Any]) -> str:
    """A type in a few words; structures by the name of their model."""
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2].removesuffix("Model"))
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
