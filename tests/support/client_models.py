"""Models of the client for tests: members that do not matter have a value of their type."""

import types
from typing import Any, TypeVar, Union, get_args, get_origin

import msgspec

T = TypeVar("T", bound=msgspec.Struct)


def make_model(kind: type[T], **given: Any) -> T:
    """Make a struct of `inos.client.models` of the members given, the others zero, empty or None."""
    values = {field.encode_name: _make_value(field.type) for field in msgspec.structs.fields(kind)}
    return kind(**values | given)


def _make_value(kind: Any) -> Any:
    kind = getattr(kind, "__supertype__", kind)
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return None if type(None) in get_args(kind) else _make_value(get_args(kind)[0])
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return make_model(kind)
    return (origin or kind)()
