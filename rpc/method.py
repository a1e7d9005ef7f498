"""A method of the RPC: its name, its typed parameters and result, and its description."""

import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import ModuleType
from typing import Any, Final, TypeAlias, get_type_hints

from pydantic import BaseModel

from inos.primitives.errors import InosError

DEFAULT_TIMEOUT_S: Final = 15.0

CallMany: TypeAlias = Callable[..., Awaitable[Sequence[BaseModel | InosError | None]]]


@dataclass(frozen=True)
class Example:
    """Example parameters and what they are an example of."""

    name: str
    params: dict[str, Any]


@dataclass(frozen=True)
class Method:
    """One method. `call` takes the node and a validated instance of `params`, and returns a `result`.

    If `needs_session`, it also takes the request's access to the subscriptions of its WebSocket, which is None if the
    request came by POST.
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
    needs_session: bool = False
    call_many: CallMany | None = None
    """It takes the node and the parameters of several calls, and returns the outcome of each, or None for one that
    takes long and is to be made by itself. Calls of the token's holder that follow each other in a batch, or arrive in
    the same turn of the event loop, are processed so.
    """
    waits: bool = False
    """It always waits for other nodes. Other methods wait if their parameters have a true property `is_waiting`."""

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The property gives the names of the parameters, in order."""
        return tuple(self.params.model_fields)

    @cached_property
    def may_wait(self) -> bool:
        """The property is True if the parameters have a property `is_waiting`."""
        return hasattr(self.params, "is_waiting")


def method(
    name: str,
    *,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    is_protected: bool = False,
    waits: bool = False,
    call_many: CallMany | None = None,
    examples: tuple[Example, ...] = (),
) -> Callable[[Callable[..., Awaitable[BaseModel]]], Method]:
    """Return a decorator that makes a method of a typed function.

    The function's annotations become the schemas, its docstring the description.

    Args:
        name: the name that callers use, e.g. "chain_head".
        timeout_s: the most seconds it may take; after that the caller gets a timeout error.
        is_protected: whether the caller must send the bearer token.
        waits: the method waits for other nodes, so it takes a turn of those that do.
        call_many: see `Method`; calls that follow each other in a batch do not rely on each other's answers then.
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
            needs_session="request" in hints,
            call_many=call_many,
            waits=waits,
        )

    return wrap


def collect_methods(*modules: ModuleType) -> dict[str, Method]:
    """Return the methods that the modules define, by name."""
    found = (each for module in modules for each in vars(module).values())
    return {each.name: each for each in found if isinstance(each, Method)}
