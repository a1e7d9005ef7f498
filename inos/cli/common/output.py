"""What several commands share: errors and JSON on the screen, common options, one call to a node."""

import errno
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, NoReturn

import typer

from inos.hints import HINTS
from inos.primitives.errors import InosError

EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2
EXIT_INTERRUPTED: Final = 130
DEFAULT_RPC: Final = "http://127.0.0.1:8645"
DEFAULT_NETWORK: Final = "devnet"
RPC_TIMEOUT_S: Final = 30.0
MAX_TIMEOUT_S: Final = 86_400.0
MAX_RESPONSE_BYTES: Final = 64 << 20

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON value and nothing else.")]
NetworkOption = Annotated[
    str,
    typer.Option("--network", envvar="INOS_NETWORK", metavar="NAME|FILE", help="A preset's name or a genesis file."),
]
RpcOption = Annotated[str, typer.Option("--rpc", envvar="INOS_RPC", metavar="URL", help="The node to talk to.")]


class CommandError(InosError):
    """A command cannot go on, because of what it was given or what it found."""


def fail(code: str, message: str, hint: str = "") -> NoReturn:
    """End the command with an error for the person.

    Raises:
        CommandError: always.
    """
    raise CommandError(code, message, hint=hint)


def print_json(value: Any) -> None:
    """One JSON value on stdout."""
    print(make_printable(json.dumps(value, indent=2, ensure_ascii=False)))


def print_error(error: InosError, *, as_json: bool) -> None:
    """The error on stderr; with `as_json` as an object on stdout instead."""
    hint = error.hint or HINTS.get(error.code, "")
    if as_json:
        print_json({"error": {"code": error.code, "message": error.message, "hint": hint}})
        return
    print(make_printable(f"error [{error.code}]: {error.message}"), file=sys.stderr)
    if hint:
        print(make_printable(f"  {hint}"), file=sys.stderr)


def make_printable(text: str) -> str:
    """Bytes somebody typed that are no text, as Python keeps them in a str, shown as such: no encoding has them."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def print_warning(message: str) -> None:
    """A warning on stderr, so that stdout stays clean for --json."""
    print(f"warning: {message}", file=sys.stderr)


def to_inos_error(error: BaseException) -> InosError | None:
    """The error as one for a person, or None where it is a mistake of ours (or typer's own)."""
    if isinstance(error, BaseExceptionGroup):
        return next((known for known in map(to_inos_error, error.exceptions) if known is not None), None)
    if isinstance(error, InosError):
        return error
    if isinstance(error, UnicodeEncodeError):
        where = make_printable(str(error.object)[:80])
        return CommandError("not-text", f"{where!r} has bytes that are no text", hint="type it in UTF-8")
    if not isinstance(error, OSError) or isinstance(error, BrokenPipeError):
        return None
    if isinstance(error, TimeoutError):
        return CommandError("timeout", f"no answer in time: {error}" if str(error) else "no answer in time")
    if isinstance(error, ConnectionError) or error.errno == errno.ECONNREFUSED:
        return CommandError("node-unreachable", f"cannot reach the node: {error}", hint=_START_HINT)
    place = f"{error.filename}: " if error.filename else ""
    return CommandError("system", f"{place}{error.strerror or error}")


_START_HINT: Final = "start one with: inos node --network devnet   (or give its address with --rpc URL)"


def call_rpc(
    url: str,
    method: str,
    params: Mapping[str, Any] | Sequence[Any] = (),
    *,
    token: str | None = None,
    timeout_s: float = RPC_TIMEOUT_S,
) -> Any:
    """One JSON-RPC call, without an event loop; the result as parsed JSON.

    Raises:
        CommandError: "bad-url", "node-unreachable", "bad-response", or what the node answered,
            as "rpc<number>" unless the error's data names a code of its own.
    """
    request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params if params else []}
    status, body = _post(url, json.dumps(request).encode(), token, timeout_s)
    try:
        answer = json.loads(body)
    except ValueError:
        answer = None
    if not isinstance(answer, dict) or not ("result" in answer or isinstance(answer.get("error"), dict)):
        fail("bad-response", f"{url} answered {method} with HTTP {status} and no JSON-RPC response", "is this a node?")
    if "result" in answer:
        return answer["result"]
    error = answer["error"]
    data = error.get("data") if isinstance(error.get("data"), dict) else {}
    fail(
        str(data.get("code") or f"rpc{error.get('code', '')}"),
        f"the node refused {method}: {error.get('message', 'no reason given')}",
        str(data.get("hint") or ""),
    )


def _post(url: str, body: bytes, token: str | None, timeout_s: float) -> tuple[int, bytes]:
    from http.client import HTTPConnection, HTTPException, HTTPSConnection
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        fail("bad-url", f"{url!r} is not the address of a node: {error}", f"write it as {DEFAULT_RPC}")
    if parts.scheme not in ("http", "https") or not host:
        fail("bad-url", f"{url!r} is not the address of a node", f"write it as {DEFAULT_RPC}")
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    try:
        connection = kind(host, port, timeout=max(0.1, min(MAX_TIMEOUT_S, timeout_s)))
    except HTTPException as error:
        fail("bad-url", f"{url!r} is not the address of a node: {error}", f"write it as {DEFAULT_RPC}")
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    try:
        connection.request("POST", parts.path or "/", body, headers)
        response = connection.getresponse()
        return response.status, response.read(MAX_RESPONSE_BYTES)
    except (OSError, HTTPException) as error:
        reason = f"no answer within {timeout_s:g} s" if isinstance(error, TimeoutError) else str(error)
        fail("node-unreachable", f"no node answers at {url}: {reason}", _START_HINT)
    finally:
        connection.close()
