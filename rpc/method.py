"""A method of the RPC: its name, typed parameters and result, and its text for people."""

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar, get_type_hints

from pydantic import BaseModel

from rpc.ports import NodePort

DEFAULT_TIMEOUT_S: Final = 15.0

P = TypeVar("P", bound=BaseModel)
R = TypeVar("R", bound=BaseModel)


@dataclass(frozen=True)
class Example:
    """Parameters as one would send them, and what they show; `result` where it is always the same."""

    name: str
    params: dict[str, Any]
    result: Any = None


@dataclass(frozen=True)
class Method:
    """One method. `call` gets the node and a checked instance of `params`, and returns a `result`."""

    name: str
    call: Callable[[NodePort, Any], Awaitable[BaseModel]]
    params: type[BaseModel]
    result: type[BaseModel]
    summary: str
    description: str
    timeout_s: float
    is_protected: bool
    examples: tuple[Example, ...]


def method(
    name: str,
    *,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    is_protected: bool = False,
    examples: tuple[Example, ...] = (),
) -> Callable[[Callable[[NodePort, P], Awaitable[R]]], Method]:
    """Make a typed function a method: its annotations are the schemas, its docstring the text.

    Args:
        name: on the wire, e.g. "chain_head".
        timeout_s: longest it may take; the caller gets a timeout error then.
        is_protected: whether the bearer token is needed.
        examples: for the OpenRPC document.
    """

    def wrap(function: Callable[[NodePort, P], Awaitable[R]]) -> Method:
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
        )

    return wrap
