"""Names the fields of the workers' messages, so that a test has a case for every one of them."""

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import msgspec

from inos.workers.errors import WorkerError
from inos.workers.limits import LIMITS
from inos.workers.messages import WORKER_KINDS, Message, decode_from_node, decode_from_worker, encode_message
from support.field_changes import change_fields


def list_names(kind: type[Message]) -> set[str]:
    """Return the names of a message's fields and of those within them, such as "shares.nonce", and "tag"."""
    return {name for name in _iterate(msgspec.inspect.type_info(kind), "") if name}


def change_message(message: Message) -> Iterator[tuple[str, str, bytes, Message | None]]:
    """Change every field alone; see `change_fields`.

    Yields:
        The field's name as in `list_names`, "" for the message's own length; the change; the encoded message; and what
        its receiver decodes, or None if it refuses it.
    """
    read: Any = decode_from_worker if type(message) in WORKER_KINDS else decode_from_node
    for path, data in change_fields(encode_message(message)):
        places, _, change = path.partition(" ")
        decoded = None
        with suppress(WorkerError):
            decoded = read(data, limit=LIMITS[type(message)].max_bytes)
        yield _name(message, [int(place) for place in re.findall(r"\d+", places)]), change or "value", data, decoded


def _iterate(info: Any, name: str) -> Iterator[str]:
    match info:
        case msgspec.inspect.StructType():
            prefix = f"{name}." if name else ""
            yield name
            if info.tag is not None:
                yield f"{prefix}tag"
            for field in info.fields:
                yield from _iterate(field.type, prefix + field.name)
        case msgspec.inspect.UnionType():
            for each in info.types:
                yield from _iterate(each, name)
        case msgspec.inspect.VarTupleType():
            yield name
            yield from _iterate(info.item_type, name)
        case _:
            yield name


def _name(value: Any, places: list[int]) -> str:
    """Return the name of what is at these places of nested arrays."""
    if not places:
        return ""
    at, *rest = places
    if not isinstance(value, msgspec.Struct):
        return _name(value[at], rest)
    has_tag = value.__struct_config__.tag is not None
    if has_tag and at == 0:
        return "tag"
    name = value.__struct_fields__[at - has_tag]
    below = _name(getattr(value, name), rest)
    return f"{name}.{below}" if below else name
