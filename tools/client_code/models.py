"""`inos/client/models.py`: one struct for each result of the OpenRPC document, and for what results hold.

Amounts and other decimal strings of the JSON become numbers, and lists tuples. A member that the document does not
require has the default None. Names are those of the document; its single values are type aliases.
"""

import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

Schema = Mapping[str, Any]

REFERENCE: Final = "#/components/schemas/"
WIDTH: Final = 120
UNITS: Final = {"NanoAmount": "Nano", "BlockHeight": "Height", "UnixMs": "TimeMs"}
"""Single values of the document that have a type in inos.primitives.units."""
FIXED: Final = {"Block.transactions": "tuple[Transaction, ...]"}
"""Members of several types of which the client only asks for one: `chain_getBlock` with whole transactions."""
WHOLE_NUMBER: Final = re.compile(r"\^-\?\[0-9\]|\^\[0-9\](\+|\{\d+,\d+\})\$")
FRACTION: Final = re.compile(r"\^\[0-9\]\+\(\\\.")

HEAD: Final = f'''\
"""What a node answers, as structs. Generated from its OpenRPC document by `make models`; do not edit.

Amounts are nano, weights and difficulties tickets, times milliseconds since 1970 UTC.
"""

from typing import Any, TypeAlias

from msgspec import Struct

from inos.primitives.units import {", ".join(sorted(UNITS.values()))}
'''


def make_models(document: Mapping[str, Any]) -> str:
    """Return the source of the module, not formatted yet."""
    writer = _Writer(document)
    return "\n\n".join([HEAD, *(writer.make_definition(name) for name in writer.order_names())]) + "\n"


class _Writer:
    """The document's schemas, and how they are spelled in Python."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._schemas: dict[str, Schema] = document["components"]["schemas"]
        self._methods: dict[str, list[str]] = {}
        """Schema -> the methods that return it."""
        for method in document["methods"]:
            for name in _list_references(method["result"]["schema"]):
                self._methods.setdefault(name, []).append(method["name"])
        self._roots = sorted(self._methods)
        for notification in document["x-notifications"]:
            self._roots += _list_references(notification["params"])

    def order_names(self) -> list[str]:
        """Return all results and what they hold, each behind what it needs, and single values before structs."""
        ordered: list[str] = []

        def visit(name: str) -> None:
            if name not in ordered:
                for needed in self._list_needed(name):
                    visit(needed)
                ordered.append(name)

        for root in self._roots:
            visit(root)
        return sorted(ordered, key=self._is_struct)

    def _is_struct(self, name: str) -> bool:
        return name in self._schemas and self._schemas[name].get("type") == "object"

    def _list_needed(self, name: str) -> Iterator[str]:
        if not self._is_struct(name):
            yield from (each for each in _list_references(self._schemas[name]) if not self._is_struct(each))
            return
        for member, schema in self._schemas[name].get("properties", {}).items():
            spelled = self._spell_member(name, member, schema)
            yield from (each for each in _list_references(schema) if re.search(rf"\b{each}\b", spelled))

    def make_definition(self, name: str) -> str:
        """Return the source of one struct or alias."""
        schema = self._schemas[name]
        if not self._is_struct(name):
            lines = [f"{name}: TypeAlias = {UNITS.get(name) or self._spell(schema)}"]
            return "\n".join(lines + _make_docstring(_describe(schema), 0))
        required = schema.get("required", [])
        lines = [f"class {name}(Struct, frozen=True, kw_only=True):"]
        methods = " and ".join(f"`{method}`" for method in self._methods.get(name, []))
        text = _describe(schema) + (f"\n\nReturned by {methods}." if methods else "")
        lines += [*_make_docstring(text, 4), ""]
        for member, kind in schema.get("properties", {}).items():
            spelled = self._spell_member(name, member, kind)
            lines.append(f"    {member}: {spelled}" + ("" if member in required else " = None"))
            lines += _make_docstring(_describe(kind), 4)
        return "\n".join(lines)

    def _spell_member(self, name: str, member: str, schema: Schema) -> str:
        return FIXED.get(f"{name}.{member}") or self._spell(schema)

    def _spell(self, schema: Schema) -> str:
        """Return a schema as a type of Python."""
        if "$ref" in schema:
            return str(schema["$ref"]).removeprefix(REFERENCE)
        if "anyOf" in schema:
            return self._spell_union(schema["anyOf"])
        match schema.get("type"):
            case "array":
                return f"tuple[{self._spell(schema['items'])}, ...]"
            case "object":
                of = schema.get("additionalProperties")
                return f"dict[str, {self._spell(of) if isinstance(of, Mapping) else 'Any'}]"
            case "integer":
                return "int"
            case "number":
                return "float"
            case "boolean":
                return "bool"
            case "null":
                return "None"
            case "string":
                return _spell_text(schema.get("pattern", ""))
        return "Any"

    def _spell_union(self, alternatives: Iterable[Schema]) -> str:
        """Return a union's type; several structs cannot be told apart in JSON, and are a dictionary."""
        spelled = [self._spell(each) for each in alternatives]
        if sum(map(self._is_struct, spelled)) > 1:
            spelled = ["dict[str, Any]" if self._is_struct(name) else name for name in spelled]
        return " | ".join(dict.fromkeys(spelled))


def _spell_text(pattern: str) -> str:
    if WHOLE_NUMBER.match(pattern):
        return "int"
    return "float" if FRACTION.match(pattern) else "str"


def _list_references(schema: Schema) -> list[str]:
    """Return the schemas that a schema names, at any depth."""
    found: list[str] = []

    def walk(value: Any) -> None:
        if isinstance(value, Mapping):
            if isinstance(value.get("$ref"), str):
                found.append(value["$ref"].removeprefix(REFERENCE))
            for each in value.values():
                walk(each)
        elif isinstance(value, list):
            for each in value:
                walk(each)

    walk(schema)
    return list(dict.fromkeys(found))


def _describe(schema: Schema) -> str:
    """Return a schema's description in the words of Python, with its choices if it does not name them all."""
    text = re.sub(r"\bnull\b", "None", str(schema.get("description", "")).replace(" as a decimal string", ""))
    choices = schema.get("enum", ())
    if choices and not all(f'"{choice}"' in text for choice in choices):
        text = f"{text} One of: {', '.join(map(str, choices))}.".strip()
    return f"Values: {text}" if text.startswith('"') else text


def _make_docstring(text: str, indent: int) -> list[str]:
    """Return a docstring's lines; none for an empty text."""
    if not text:
        return []
    margin = " " * indent
    paragraphs = text.replace("\\", "\\\\").split("\n\n")
    if len(paragraphs) == 1 and len(text) + indent + 6 <= WIDTH:
        quote = "'''" if text.endswith('"') else '"""'
        return [f"{margin}{quote}{paragraphs[0]}{quote}"]
    first, *rest = paragraphs
    lines = textwrap.wrap(first, WIDTH - indent - 3) if len(first) + indent + 3 > WIDTH else [first]
    body = [f'{margin}"""{lines[0]}', *(margin + line for line in lines[1:])]
    for paragraph in rest:
        body += ["", *textwrap.wrap(paragraph, WIDTH, initial_indent=margin, subsequent_indent=margin)]
    return [*body, f'{margin}"""']
