"""JSON-RPC 2.0 without HTTP: takes the bytes of a request and returns those of the answer."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

import msgspec
import structlog
from msgspec import Struct
from pydantic import BaseModel, ValidationError

from inos.primitives.errors import InosError
from inos.rpc import errors
from inos.rpc.errors import RpcError, make_error_object
from inos.rpc.method import Method
from inos.rpc.ports import NodePort
from inos.rpc.server.turns import Turns
from inos.rpc.subscriptions.session import SessionRequest

log: Final = structlog.get_logger("rpc")

MAX_BATCH: Final = 100
MAX_ANSWER_BYTES: Final = 64 * 2**20
"""The most bytes of all answers of one batch; a single answer is bounded by its method."""
PARSE_IN_THREAD_BYTES: Final = 2**20
"""Larger bodies are parsed off the event loop."""
MAX_SHOWN_PROBLEMS: Final = 5
MAX_NAME: Final = 64
MEMBERS: Final = frozenset({"jsonrpc", "method", "params", "id"})
"""The members that a request may have."""

R = TypeVar("R")
RequestId = str | int | float | None
Observe = Callable[[str, float, str], None]
"""Called after each call of an existing method, with its name, the seconds, and "ok" or the error's code."""
Give = Callable[[int, bytes | None], object]
METHOD_HINT: Final = "rpc.discover lists all methods"


class Caller(Struct, frozen=True):
    """The sender of a request."""

    is_authorized: bool
    """True if the request carried the node's token."""
    request: SessionRequest | None = None
    """Its access to the subscriptions of its WebSocket; None if it came by POST."""


class _Call(Struct, frozen=True):
    """One call of a group."""

    id: RequestId
    is_notification: bool
    is_request: bool
    """False if it is no well-formed request."""
    asked: BaseModel | RpcError
    """Its parameters, or what is wrong with it."""


class Dispatcher:
    """Finds the method, validates its parameters, runs it within its time limit, and encodes the answer.

    Args:
        methods: the methods by name.
        node: passed to every method.
        turns: bound the calls in progress.
        token_hint: says where the token is, in the error for callers without it.
        observe: called after each call.
    """

    def __init__(
        self,
        methods: Mapping[str, Method],
        node: NodePort,
        turns: Turns,
        *,
        token_hint: str = "",
        method_hint: str = METHOD_HINT,
        observe: Observe | None = None,
    ) -> None:
        self._methods = methods
        self._node = node
        self._turns = turns
        self._token_hint = token_hint
        self._method_hint = method_hint
        self._observe = observe

    async def process(self, body: bytes, caller: Caller) -> bytes | None:
        """Return the answer to a body: a response, a batch of them, or None if the body asks for no answer."""
        try:
            request = parse(body) if len(body) <= PARSE_IN_THREAD_BYTES else await asyncio.to_thread(parse, body)
        except RpcError as error:
            return encode_error(error, None)
        return await self.process_parsed(request, caller)

    async def process_parsed(self, request: Any, caller: Caller) -> bytes | None:
        """Return the answer to a body's JSON value, as by `process`."""
        if not isinstance(request, list):
            return await self._process_one(request, caller)
        if not 1 <= len(request) <= MAX_BATCH:
            return encode_error(
                _invalid(f"a batch holds 1 to {MAX_BATCH} requests, this one holds {len(request)}"), None
            )
        return await self._process_batch(request, caller)

    async def _process_batch(self, requests: list[Any], caller: Caller) -> bytes | None:
        """Process the requests in order, so that a request can rely on those before it."""
        answers: list[bytes] = []
        size = 0
        for group in self._make_groups(requests, caller):
            if size > MAX_ANSWER_BYTES:
                found: list[bytes | None] = [_refuse_too_large(request) for request in group]
            elif len(group) == 1:
                found = [await self._process_one(group[0], caller)]
            else:
                found = [None] * len(group)
                await self.process_group(group, caller, found.__setitem__)
            given = [answer for answer in found if answer is not None]
            size += sum(map(len, given))
            answers += given
        return b"[" + b",".join(answers) + b"]" if answers else None

    def _make_groups(self, requests: list[Any], caller: Caller) -> Iterator[list[Any]]:
        """Yield single requests, and those together that a method takes together."""
        group: list[Any] = []
        of: Method | None = None
        for request in requests:
            method = self.find_grouping(request, caller)
            if group and (method is None or method is not of):
                yield group
                group = []
            of = method
            group.append(request)
        yield group

    def find_grouping(self, request: Any, caller: Caller) -> Method | None:
        """Return the method of a request if it takes several calls of this caller together."""
        name = request.get("method") if caller.is_authorized and isinstance(request, dict) else None
        method = self._methods.get(name) if isinstance(name, str) else None
        return None if method is None or method.call_many is None else method

    async def process_group(self, requests: Sequence[Any], caller: Caller, give: Give) -> None:
        """Process requests of one method that takes several calls together, in one turn.

        Args:
            give: called once for each request with its place and its answer, or None for a notification. Calls that
                take long are answered after the others.
        """
        method, began = self._methods[requests[0]["method"]], time.perf_counter()
        calls = [_check_call(method, request) for request in requests]
        arguments = [call.asked for call in calls if not isinstance(call.asked, InosError)]
        outcomes = iter(await self._call_many(method, arguments, caller) if arguments else ())
        long: list[Awaitable[None]] = []
        for place, call in enumerate(calls):
            outcome = call.asked if isinstance(call.asked, InosError) else next(outcomes)
            if outcome is None:
                long.append(self._process_long(requests[place], caller, place, give))
                continue
            code = outcome.code if isinstance(outcome, InosError) else "ok"
            if self._observe is not None and call.is_request:
                self._observe(method.name, time.perf_counter() - began, code)
            give(place, None if call.is_notification else _encode_outcome(outcome, call.id))
        await asyncio.gather(*long)

    async def _process_long(self, request: Any, caller: Caller, place: int, give: Give) -> None:
        give(place, await self._process_one(request, caller))

    async def _call_many(
        self, method: Method, arguments: list[BaseModel], caller: Caller
    ) -> Sequence[BaseModel | InosError | None]:
        """Return the outcome of each call; what fails as a whole fails for each."""
        assert method.call_many is not None, "only such methods are grouped"
        try:
            async with self._turns.take(is_owner=caller.is_authorized, waits=method.waits):
                return await _run(method, method.call_many(self._node, arguments))
        except InosError as error:
            return [error] * len(arguments)

    async def _process_one(self, request: Any, caller: Caller) -> bytes | None:
        try:
            request_id, is_notification = check_request(request)
        except RpcError as error:
            return encode_error(error, _get_id(request))
        try:
            result = await self._call(request["method"], request.get("params", {}), caller)
            answer = _encode_result(result, request_id)
        except InosError as error:
            answer = encode_error(error, request_id)
        return None if is_notification else answer

    async def _call(self, name: str, params: Any, caller: Caller) -> BaseModel:
        method = self._methods.get(name)
        if method is None:
            raise RpcError(
                errors.METHOD_NOT_FOUND,
                "method-not-found",
                f"there is no method {name[:MAX_NAME]!r}",
                hint=self._method_hint,
            )
        if method.is_protected and not caller.is_authorized:
            raise RpcError(
                errors.UNAUTHORIZED,
                "unauthorized",
                f"{name} needs the header 'Authorization: Bearer <token>' with this node's token",
                hint=self._token_hint,
            )
        began, outcome = time.perf_counter(), "cancelled"
        try:
            arguments = check_params(method, params)
            waits = method.waits or (method.may_wait and getattr(arguments, "is_waiting", False))
            async with self._turns.take(is_owner=caller.is_authorized, waits=waits):
                access = (caller.request,) if method.needs_session else ()
                result = await _run(method, method.call(self._node, arguments, *access))
            outcome = "ok"
            return result
        except InosError as error:
            outcome = error.code
            raise
        finally:
            if self._observe is not None:
                self._observe(name, time.perf_counter() - began, outcome)


async def _run(method: Method, call: Awaitable[R]) -> R:
    """Return what a call returns within the method's time; its unexpected errors become internal ones."""
    try:
        async with asyncio.timeout(method.timeout_s) as limit:
            return await call
    except InosError:
        raise
    except TimeoutError as error:
        if limit.expired():
            raise RpcError(
                errors.TIMED_OUT, "timeout", f"{method.name} took longer than {method.timeout_s:g} s"
            ) from error
        raise _internal(method.name, error) from error
    except Exception as error:
        # This is the boundary: any error is logged, and the caller is told no details of it.
        raise _internal(method.name, error) from error


def _check_call(method: Method, request: dict[str, Any]) -> _Call:
    """Return a call of a group; its request may not be well-formed."""
    try:
        request_id, is_notification = check_request(request)
    except RpcError as error:
        return _Call(_get_id(request), False, False, error)
    try:
        return _Call(request_id, is_notification, True, check_params(method, request.get("params", {})))
    except RpcError as error:
        return _Call(request_id, is_notification, True, error)


def check_request(request: Any) -> tuple[RequestId, bool]:
    """Return the id of a well-formed request, and True if it is a notification.

    Raises:
        RpcError: invalid request (-32600); the message names the wrong member.
    """
    if not isinstance(request, dict):
        raise _invalid("a request is an object")
    if request.get("jsonrpc") != "2.0":
        raise _invalid('the member jsonrpc must be "2.0"')
    if not isinstance(request.get("method"), str):
        raise _invalid("the member method must be a string")
    if not isinstance(request.get("params", {}), dict | list):
        raise _invalid("the member params must be an object or an array, or be left out")
    request_id = request.get("id")
    if isinstance(request_id, bool) or not isinstance(request_id, str | int | float | None):
        raise _invalid("the member id must be a string, a number or null")
    if not request.keys() <= MEMBERS:
        raise _invalid(f"unknown member {min(request.keys() - MEMBERS)[:MAX_NAME]!r}")
    return request_id, "id" not in request


def check_params(method: Method, params: dict[str, Any] | list[Any]) -> BaseModel:
    """Return the parameters, given by name or by position, as the method's model.

    Raises:
        RpcError: invalid params (-32602); the message names each wrong parameter and the reason.
    """
    if isinstance(params, list):
        names = method.names
        if len(params) > len(names):
            takes = f"takes {', '.join(names)}" if names else "takes no parameters"
            raise RpcError(
                errors.INVALID_PARAMS, "invalid-params", f"got {len(params)} parameters, but {method.name} {takes}"
            )
        params = dict(zip(names, params, strict=False))
    try:
        return method.params.model_validate(params)
    except ValidationError as error:
        raise _make_params_error(method, error) from error


def encode_error(error: InosError, request_id: RequestId) -> bytes:
    """Return a whole response object with an error."""
    return msgspec.json.encode({"jsonrpc": "2.0", "error": make_error_object(error), "id": request_id})


def _encode_outcome(outcome: BaseModel | InosError, request_id: RequestId) -> bytes:
    return encode_error(outcome, request_id) if isinstance(outcome, InosError) else _encode_result(outcome, request_id)


def _encode_result(result: BaseModel, request_id: RequestId) -> bytes:
    # pydantic encodes the result, because the models say how each field is encoded.
    return b'{"jsonrpc":"2.0","result":%b,"id":%b}' % (
        result.model_dump_json(exclude_none=False).encode(),
        msgspec.json.encode(request_id),
    )


def parse(body: bytes) -> Any:
    """Return the body's JSON value. NaN, infinities, numbers out of a double's range and deep nesting are refused.

    Raises:
        RpcError: parse error (-32700).
    """
    try:
        return msgspec.json.decode(body)
    except RecursionError as error:
        raise RpcError(errors.PARSE_ERROR, "parse-error", "the JSON is nested too deeply") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RpcError(errors.PARSE_ERROR, "parse-error", f"the body is not JSON: {error}") from error


def _make_params_error(method: Method, error: ValidationError) -> RpcError:
    problems: dict[str, list[str]] = {}
    for problem in error.errors(include_url=False, include_input=False, include_context=False):
        # A parameter that may have several types has one problem for each of them.
        reasons = problems.setdefault(_name(problem["loc"]), [])
        reasons.append(str(problem["msg"]).removeprefix("Value error, "))
    shown = [f"{name}: {', or: '.join(reasons)}" for name, reasons in problems.items()]
    takes = ", ".join(method.params.model_fields) or "no parameters"
    return RpcError(
        errors.INVALID_PARAMS,
        "invalid-params",
        f"{method.name}: {'; '.join(shown[:MAX_SHOWN_PROBLEMS])}",
        hint=f"{method.name} takes {takes}",
        param=next(iter(problems)),
    )


def _name(location: tuple[int | str, ...]) -> str:
    return str(location[0])[:MAX_NAME] if location else "params"


def _get_id(request: Any) -> RequestId:
    """Return the id of a malformed request if it has one, else None (JSON-RPC 2.0, section 5)."""
    found = request.get("id") if isinstance(request, dict) else None
    return found if isinstance(found, str | int | float) and not isinstance(found, bool) else None


def _invalid(reason: str) -> RpcError:
    return RpcError(errors.INVALID_REQUEST, "invalid-request", f"not a JSON-RPC 2.0 request: {reason}")


def _internal(name: str, error: Exception) -> RpcError:
    log.error("method failed", method=name, exc_info=error)
    return RpcError(
        errors.INTERNAL_ERROR, "internal-error", f"{name} failed inside the node", hint="the node's log says why"
    )


def _refuse_too_large(request: Any) -> bytes | None:
    if isinstance(request, dict) and "id" not in request:
        return None
    return encode_error(
        RpcError(errors.TOO_LARGE, "answer-too-large", f"the batch's answers exceed {MAX_ANSWER_BYTES} bytes"),
        _get_id(request),
    )
