"""Every number the RPC answers with, and which family of errors it stands for.

Numbers -32700 to -32600 are JSON-RPC 2.0's own (section 5.1); -32000 to -32099 are left to
servers, and the table below is the whole of our use of them. The stable name of an error is
`data.code`; the number only says which kind it is.
"""

from typing import Any, Final

from inos.chain.mempool import PoolRejected
from inos.primitives.errors import InosError, NotYet, RuleViolation
from inos.rpc.hints import HINTS
from inos.wallet.errors import WalletError

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603

REFUSED: Final = -32000
"""Refused for a reason without a number of its own."""
UNAUTHORIZED: Final = -32001
NOT_FOUND: Final = -32002
RULE_BROKEN: Final = -32003
POOL_REFUSED: Final = -32004
NOT_YET: Final = -32005
TIMED_OUT: Final = -32006
BUSY: Final = -32007
UNAVAILABLE: Final = -32008
TOO_LARGE: Final = -32009
FORBIDDEN_HOST: Final = -32010
WRONG_CONTENT_TYPE: Final = -32011

MEANINGS: Final = {
    PARSE_ERROR: "Parse error: the body is not JSON.",
    INVALID_REQUEST: "Invalid request: JSON, but not a JSON-RPC 2.0 request.",
    METHOD_NOT_FOUND: "Method not found.",
    INVALID_PARAMS: "Invalid params: data.param names which.",
    INTERNAL_ERROR: "Internal error: the node's log has the details.",
    REFUSED: "Refused; data.code says why.",
    UNAUTHORIZED: "The method needs the node's bearer token.",
    NOT_FOUND: "No such block, transaction, job or matrix here.",
    RULE_BROKEN: "A rule of the protocol is broken; data.expected and data.got are its two sides.",
    POOL_REFUSED: "The transaction may be valid, but the pool does not take it.",
    NOT_YET: "This node cannot tell yet: something has to arrive first.",
    TIMED_OUT: "The method took longer than it may.",
    BUSY: "Too many requests at once; try again.",
    UNAVAILABLE: "This node does not do that, as it was started.",
    TOO_LARGE: "Request or answer over the size limit.",
    FORBIDDEN_HOST: "The Host header names a host that is not this node.",
    WRONG_CONTENT_TYPE: "The Content-Type is not application/json.",
}
"""Number to meaning, as the OpenRPC document lists it."""


class RpcError(InosError):
    """An error with its number on the wire.

    Args:
        number: one of the constants above.
        code: stable name, e.g. "block-unknown".
        message: what was wrong and where.
        hint: what to do about it.
        data: further members for the error's `data`.
    """

    def __init__(self, number: int, code: str, message: str, *, hint: str = "", **data: Any) -> None:
        super().__init__(code, message, hint=hint)
        self.number = number
        self.data = data


def get_number(error: InosError) -> int:
    """The number of an error's family."""
    if isinstance(error, RpcError):
        return error.number
    if isinstance(error, RuleViolation):
        return RULE_BROKEN
    if isinstance(error, NotYet):
        return NOT_YET
    if isinstance(error, WalletError):
        return INVALID_PARAMS
    return POOL_REFUSED if isinstance(error, PoolRejected) else REFUSED


def make_error_object(error: InosError) -> dict[str, Any]:
    """The `error` member of a response: number, message, and data with code, expected, got and hint where known."""
    data: dict[str, Any] = {"code": error.code}
    for name in ("expected", "got"):
        if value := getattr(error, name, ""):
            data[name] = str(value)
    if hint := error.hint or HINTS.get(error.code, ""):
        data["hint"] = hint
    if isinstance(error, RpcError):
        data |= error.data
    return {"code": get_number(error), "message": error.message, "data": data}


def make_not_found(what: str, name: str, hint: str = "") -> RpcError:
    """ "<what>-unknown" for a thing this node does not have."""
    return RpcError(NOT_FOUND, f"{what}-unknown", f"this node knows no {what} {name}", hint=hint)


def make_invalid_param(param: str, reason: str, *, code: str = "invalid-params", hint: str = "") -> RpcError:
    """A parameter whose value does not do."""
    return RpcError(INVALID_PARAMS, code, f"{param}: {reason}", hint=hint, param=param)
