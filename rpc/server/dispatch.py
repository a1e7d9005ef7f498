"""JSON-RPC 2.0 without HTTP: bytes of a request in, bytes of the answer out, or None for notifications."""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
import structlog
from msgspec import Struct
from pydantic import BaseModel, ValidationError

from inos.primitives.errors import InosError
from inos.rpc import errors
from inos.rpc.errors import RpcError, make_error_object
from inos.rpc.method import Method
from inos.rpc.ports import NodePort
from inos.rpc.subscriptions.session import Visit

log: Final = structlog.get_logger("rpc")

MAX_BATCH: Final = 100
MAX_ANSWER_BYTES: Final = 64 * 2**20
"""Of all answers of one batch together; one answer alone is bounded by its method."""
PARSE_IN_THREAD_BYTES: Final = 2**20
"""Larger bodies are parsed off the event loop."""
MAX_SHOWN_PROBLEMS: Final = 5
MAX_NAME: Final = 64

RequestId = str | int | float | None
Observe = Callable[[str, float, str], None]
"""Told of each call of a method there is: its name, seconds, and "ok" or the error's code."""


class Caller(Struct, frozen=True):
    """Who asks."""

    is_authorized: bool
    """Whether the request carried the node's token."""
    visit: Visit | None = None
    """Its socket, where it came over one."""


class Dispatcher:
    """Finds the method, checks its parameters, runs it within its time, and spells the answer.

    Args:
        methods: by name.
        node: handed to every method.
        token_hint: where the token is, for those who lack it.
        observe: told of each call.
    """

    def __init__(
        self,
        methods: Mapping[str, Method],
        node: NodePort,
        *,
        token_hint: str = "",
        observe: Observe | None = None,
    ) -> None:
        self._methods = methods
        self._node = node
        self._token_hint = token_hint
        self._observe = observe

    async def process(self, body: bytes, caller: Caller) -> bytes | None:
        """The answer to a body: one response, a batch of them, or None where nothing is to be answered."""
        try:
            request = await _parse(body)
        except RpcError as error:
            return encode_error(error, None)
        if not isinstance(request, list):
            return await self._process_one(request, caller)
        if not 1 <= len(request) <= MAX_BATCH:
            return encode_error(_invalid(f"a batch holds 1 to {MAX_BATCH} requests, this one {len(request)}"), None)
        return await self._process_batch(request, caller)

    async def _process_batch(self, requests: list[Any], caller: Caller) -> bytes | None:
        """One after another, so that a batch may build on its own earlier requests."""
        answers: list[bytes] = []
        size = 0
        for request in requests:
            if size > MAX_ANSWER_BYTES:
                answer: bytes | None = _refuse_too_large(request)
            else:
                answer = await self._process_one(request, caller)
            if answer is not None:
                size += len(answer)
                answers.append(answer)
        return b"[" + b",".join(answers) + b"]" if answers else None

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
                hint="rpc.discover lists all methods",
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
            result = await self._run(method, check_params(method, params), caller.visit)
            outcome = "ok"
            return result
        except InosError as error:
            outcome = error.code
            raise
        finally:
            if self._observe is not None:
                self._observe(name, time.perf_counter() - began, outcome)

    async def _run(self, method: Method, arguments: BaseModel, visit: Visit | None) -> BaseModel:
        name = method.name
        try:
            async with asyncio.timeout(method.timeout_s) as limit:
                if method.needs_visit:
                    return await method.call(self._node, arguments, visit)
                return await method.call(self._node, arguments)
        except InosError:
            raise
        except TimeoutError as error:
            if limit.expired():
                raise RpcError(errors.TIMED_OUT, "timeout", f"{name} took over {method.timeout_s:g} s") from error
            raise _internal(name, error) from error
        except Exception as error:
            # The boundary: whatever went wrong is logged, and nothing of it leaks.
            raise _internal(name, error) from error


def check_request(request: Any) -> tuple[RequestId, bool]:
    """The id of a well-formed request, and whether it is a notification.

    Raises:
        RpcError: invalid request (-32600), saying which member is wrong.
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
    if unknown := request.keys() - {"jsonrpc", "method", "params", "id"}:
        raise _invalid(f"unknown member {min(unknown)[:MAX_NAME]!r}")
    return request_id, "id" not in request


def check_params(method: Method, params: dict[str, Any] | list[Any]) -> BaseModel:
    """Parameters by name, or by position in the order the method declares, as its typed model.

    Raises:
        RpcError: invalid params (-32602) naming each wrong parameter and why.
    """
    names = list(method.params.model_fields)
    if isinstance(params, list):
        if len(params) > len(names):
            takes = f"takes {', '.join(names)}" if names else "takes no parameters"
            raise RpcError(
                errors.INVALID_PARAMS, "invalid-params", f"{len(params)} parameters, but {method.name} {takes}"
            )
        params = dict(zip(names, params, strict=False))
    try:
        return method.params.model_validate(params)
    except ValidationError as error:
        raise _make_params_error(method, error) from error


def encode_error(error: InosError, request_id: RequestId) -> bytes:
    """A whole response object with an error."""
    return msgspec.json.encode({"jsonrpc": "2.0", "error": make_error_object(error), "id": request_id})


def _encode_result(result: BaseModel, request_id: RequestId) -> bytes:
    # The result goes through pydantic, as the models say how each field is spelled.
    return b'{"jsonrpc":"2.0","result":%b,"id":%b}' % (
        result.model_dump_json(exclude_none=False).encode(),
        msgspec.json.encode(request_id),
    )


async def _parse(body: bytes) -> Any:
    """The body's JSON value; NaN, infinities, numbers beyond a double's range and deep nesting are refused."""
    try:
        if len(body) > PARSE_IN_THREAD_BYTES:
            return await asyncio.to_thread(msgspec.json.decode, body)
        return msgspec.json.decode(body)
    except RecursionError as error:
        raise RpcError(errors.PARSE_ERROR, "parse-error", "the JSON is nested too deeply") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RpcError(errors.PARSE_ERROR, "parse-error", f"the body is not JSON: {error}") from error


def _make_params_error(method: Method, error: ValidationError) -> RpcError:
    problems: dict[str, list[str]] = {}
    for problem in error.errors(include_url=False, include_input=False, include_context=False):
        # A parameter of several forms has one problem for each of them, in whose place stands the form.
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
    """The id of a malformed request where it can be told, else null (JSON-RPC 2.0, section 5)."""
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
