"""A method of the RPC: its name, typed parameters and result, and its text for people."""

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final, get_type_hints

from pydantic import BaseModel

DEFAULT_TIMEOUT_S: Final = 15.0


@dataclass(frozen=True)
class Example:
    """Parameters as one would send them, and what they show; `result` where it is always the same."""

    name: str
    params: dict[str, Any]
    result: Any = None


@dataclass(frozen=True)
class Method:
    """One method. `call` gets the node and a checked instance of `params`, and returns a `result`.

    Where `needs_visit`, it also gets the `Visit` of the caller's WebSocket, or None for callers by POST.
    """

    name: str
    call: Callable[..., Awaitable[BaseModel]]
    params: type[BaseModel]
    result: type[BaseModel]
    summary: str
    description: str
    timeout_s: float
    is_protected: bool
    examples: tuple[Example, ...]
    needs_visit: bool = False


def method(
    name: str,
    *,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    is_protected: bool = False,
    examples: tuple[Example, ...] = (),
) -> Callable[[Callable[..., Awaitable[BaseModel]]], Method]:
    """Make a typed function a method: its annotations are the schemas, its docstring the text.

    Args:
        name: on the wire, e.g. "chain_head".
        timeout_s: longest it may take; the caller gets a timeout error then.
        is_protected: whether the bearer token is needed.
        examples: for the OpenRPC document.
    """

    def wrap(function: Callable[..., Awaitable[BaseModel]]) -> Method:
        hints = get_type_hints(function)
        text = inspect.getdoc(function) or name
        summary, _, rest = text.partition("\n")
        return Method(
            name=name,
            call=function,
            params=hints["params"],
            result=hints["return"],
            summary=summary.strip(),
            description=" ".join((rest.strip() or summary).split()),
            timeout_s=timeout_s,
            is_protected=is_protected,
            examples=examples,
            needs_visit="visit" in hints,
        )

    return wrap


def collect_methods(*modules: ModuleType) -> dict[str, Method]:
    """Return the methods that the modules define, by name."""
    found = (each for module in modules for each in vars(module).values())
    return {each.name: each for each in found if isinstance(each, Method)}
