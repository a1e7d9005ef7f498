"""The numbers of JSON-RPC errors, and the family of errors that each stands for.

JSON-RPC 2.0 defines the numbers -32700 to -32600 (section 5.1) and leaves -32000 to -32099 to servers; the table below
has all that this server uses. The stable name of an error is `data.code`; the number only says which kind it is.
"""

from typing import Any, Final

from inos.chain.mempool import PoolRejected
from inos.hints import HINTS
from inos.primitives.errors import InosError, NotYet, RuleViolation
from inos.wallet.errors import WalletError

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603

REFUSED: Final = -32000
"""The call was refused for a reason that has no number of its own."""
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
    INVALID_PARAMS: "Invalid params: data.param names the parameter.",
    INTERNAL_ERROR: "Internal error: the node's log has the details.",
    REFUSED: "Refused: data.code says why.",
    UNAUTHORIZED: "The method needs the node's bearer token.",
    NOT_FOUND: "This node does not have the block, transaction, job or matrix.",
    RULE_BROKEN: "A rule of the protocol is broken: data.expected and data.got say how.",
    POOL_REFUSED: "The pool refuses the transaction, although it may be valid.",
    NOT_YET: "This node cannot answer yet, because it waits for data.",
    TIMED_OUT: "The method took longer than its time limit.",
    BUSY: "Too many requests at once: try again.",
    UNAVAILABLE: "This node was not started with what the method needs.",
    TOO_LARGE: "The request or the answer exceeds the size limit.",
    FORBIDDEN_HOST: "The Host header is not a name of this node.",
    WRONG_CONTENT_TYPE: "The Content-Type is not application/json.",
}
"""Meanings by number, for the OpenRPC document."""


class RpcError(InosError):
    """An error with its JSON-RPC number.

    Args:
        number: one of the constants above.
        code: the stable name, e.g. "block-unknown".
        message: what was wrong and where.
        hint: what to do about it.
        data: more fields for the error's `data`.
    """

    def __init__(self, number: int, code: str, message: str, *, hint: str = "", **data: Any) -> None:
        super().__init__(code, message, hint=hint)
        self.number = number
        self.data = data


def get_number(error: InosError) -> int:
    """Return the number of an error's family."""
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
    """Return the `error` field of a response: number, message, and data with code, expected, got and hint if known."""
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
    """Return the error "<what>-unknown" for an object that this node does not have."""
    return RpcError(NOT_FOUND, f"{what}-unknown", f"this node does not have the {what} {name}", hint=hint)


def make_invalid_param(param: str, reason: str, *, code: str = "invalid-params", hint: str = "") -> RpcError:
    """Return the error for a parameter with a wrong value."""
    return RpcError(INVALID_PARAMS, code, f"{param}: {reason}", hint=hint, param=param)
