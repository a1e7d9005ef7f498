"""JSON-RPC 2.0 by the examples of its specification (section 7), and the errors for invalid requests."""

import asyncio
import json
from collections.abc import Sequence
from typing import Annotated, Any

import pytest
from pydantic import Field

from inos.primitives.errors import RuleViolation
from inos.rpc.errors import RpcError
from inos.rpc.method import method
from inos.rpc.models.values import Model, NoParams
from inos.rpc.server.dispatch import MAX_BATCH, Caller, Dispatcher
from inos.rpc.server.turns import Turns

ANYBODY = Caller(is_authorized=False)
OWNER = Caller(is_authorized=True)


class Pair(Model):
    minuend: int
    subtrahend: int


class Number(Model):
    value: int


class Numbers(Model):
    a: int
    b: int = 0
    c: Annotated[int, Field(le=100)] = 0


class Texts(Model):
    items: list[str]


NODE: Any = object()
updates: list[int] = []


@method("subtract")
async def subtract(node: Any, params: Pair) -> Number:
    """Subtract."""
    return Number(value=params.minuend - params.subtrahend)


@method("sum")
async def add(node: Any, params: Numbers) -> Number:
    """Add numbers."""
    return Number(value=params.a + params.b + params.c)


@method("update")
async def update(node: Any, params: Numbers) -> Number:
    """Store numbers."""
    updates.append(params.a)
    return Number(value=0)


groups: list[list[int]] = []


async def double_together(node: Any, calls: Sequence[Numbers]) -> list[Number | RuleViolation | None]:
    """Double numbers, but refuse odd ones, and leave out 50 and 51, which take long; a group with 99 fails as a whole,
    and one with 100 takes too long."""
    groups.append([params.a for params in calls])
    if 99 in groups[-1]:
        raise KeyError("/secret/path")
    if 100 in groups[-1]:
        await asyncio.Event().wait()
    return [_try_to_double(each.a) for each in calls]


def _try_to_double(number: int) -> Number | RuleViolation | None:
    if number in (50, 51):
        return None
    return Number(value=2 * number) if number % 2 == 0 else RuleViolation("odd", str(number))


@method("double", call_many=double_together, timeout_s=0.01)
async def double(node: Any, params: Numbers) -> Number:
    """Double a number, but for 51, which takes too long."""
    if params.a == 51:
        await asyncio.Event().wait()
    return Number(value=2 * params.a)


@method("get_data")
async def get_data(node: Any, params: NoParams) -> Texts:
    """Return data."""
    return Texts(items=["hello", "5"])


@method("broken")
async def broken(node: Any, params: NoParams) -> Number:
    """Fail with an internal error."""
    raise KeyError("/secret/path")


@method("refused")
async def refused(node: Any, params: NoParams) -> Number:
    """Fail with a broken rule."""
    raise RuleViolation("bad-nonce", "the nonce is wrong", expected=4, got=7)


@method("slow", timeout_s=0.01)
async def slow(node: Any, params: NoParams) -> Number:
    """Run forever."""
    await asyncio.Event().wait()
    return Number(value=0)


@method("guarded", is_protected=True)
async def guarded(node: Any, params: NoParams) -> Number:
    """Require the token."""
    return Number(value=1)


METHODS = {one.name: one for one in (subtract, add, update, double, get_data, broken, refused, slow, guarded)}
dispatcher = Dispatcher(METHODS, NODE, Turns(32, 256), token_hint="the token is in /data/rpc.token")


async def ask(body: str | bytes, caller: Caller = ANYBODY) -> Any:
    answer = await dispatcher.process(body.encode() if isinstance(body, str) else body, caller)
    return None if answer is None else json.loads(answer)


def request(name: str, params: Any = None, request_id: Any = 1) -> str:
    return json.dumps({"jsonrpc": "2.0", "method": name, "params": params or [], "id": request_id})


def is_error(answer: Any, number: int, request_id: Any = None) -> bool:
    return (
        set(answer) == {"jsonrpc", "error", "id"}
        and answer["jsonrpc"] == "2.0"
        and answer["error"]["code"] == number
        and answer["id"] == request_id
    )


async def test_positional_parameters() -> None:
    assert await ask('{"jsonrpc": "2.0", "method": "subtract", "params": [42, 23], "id": 1}') == {
        "jsonrpc": "2.0",
        "result": {"value": 19},
        "id": 1,
    }
    assert (await ask('{"jsonrpc": "2.0", "method": "subtract", "params": [23, 42], "id": 2}'))["result"] == {
        "value": -19
    }


async def test_named_parameters_in_any_order() -> None:
    for params in ({"subtrahend": 23, "minuend": 42}, {"minuend": 42, "subtrahend": 23}):
        answer = await ask(json.dumps({"jsonrpc": "2.0", "method": "subtract", "params": params, "id": 3}))
        assert answer == {"jsonrpc": "2.0", "result": {"value": 19}, "id": 3}


async def test_notifications_are_done_and_not_answered() -> None:
    updates.clear()
    assert await ask('{"jsonrpc": "2.0", "method": "update", "params": [1]}') is None
    assert updates == [1]
    assert await ask('{"jsonrpc": "2.0", "method": "foobar"}') is None
    assert await ask('{"jsonrpc": "2.0", "method": "broken"}') is None


async def test_an_id_of_null_is_not_a_notification() -> None:
    assert await ask('{"jsonrpc": "2.0", "method": "get_data", "id": null}') == {
        "jsonrpc": "2.0",
        "result": {"items": ["hello", "5"]},
        "id": None,
    }


async def test_unknown_method() -> None:
    assert is_error(await ask('{"jsonrpc": "2.0", "method": "foobar", "id": "1"}'), -32601, "1")


@pytest.mark.parametrize(
    "body",
    [
        '{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]',
        '[{"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"}, {"jsonrpc": "2.0", "method"]',
        "",
        "NaN",
        '{"jsonrpc": "2.0", "method": "sum", "params": [NaN], "id": 1}',
        '{"jsonrpc": "2.0", "method": "sum", "params": [Infinity], "id": 1}',
        '{"jsonrpc": "2.0", "method": "sum", "params": [1e999], "id": 1}',
        '{"jsonrpc": "2.0", "method": "sum", "params": [' + "1" * 5000 + '], "id": 1}',
        b'{"jsonrpc": "2.0", "method": "\xff\xfe", "id": 1}',
        "[" * 100_000,
        "[" * 100_000 + "]" * 100_000,
        '{"a":' * 50_000,
    ],
    ids=lambda body: f"{len(body)}-{body[:20]!r}",
)
async def test_bodies_that_are_not_json(body: str | bytes) -> None:
    assert is_error(await ask(body), -32700)


@pytest.mark.parametrize(
    ("body", "request_id"),
    [
        ('{"jsonrpc": "2.0", "method": 1, "params": "bar"}', None),
        ('{"jsonrpc": "2.0", "method": "sum", "params": "bar", "id": 7}', 7),
        ('{"jsonrpc": "1.0", "method": "sum", "id": 7}', 7),
        ('{"jsonrpc": 2.0, "method": "sum", "id": 7}', 7),
        ('{"method": "sum", "id": "a"}', "a"),
        ('{"jsonrpc": "2.0", "method": "sum", "id": [1]}', None),
        ('{"jsonrpc": "2.0", "method": "sum", "id": true}', None),
        ('{"jsonrpc": "2.0", "method": "sum", "id": 1, "extra": 1}', 1),
        ('{"jsonrpc": "2.0", "method": "sum", "id": 1, "params": null}', 1),
        ("[]", None),
        ("1", None),
        ('"text"', None),
        ("null", None),
    ],
)
async def test_json_that_is_no_request(body: str, request_id: Any) -> None:
    assert is_error(await ask(body), -32600, request_id)


async def test_a_batch_of_invalid_requests() -> None:
    assert len(answer := await ask("[1]")) == 1
    assert is_error(answer[0], -32600)
    assert [is_error(one, -32600) for one in await ask("[1,2,3]")] == [True, True, True]


async def test_the_specifications_mixed_batch() -> None:
    answer = await ask(
        """[
        {"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"},
        {"jsonrpc": "2.0", "method": "update", "params": [7]},
        {"jsonrpc": "2.0", "method": "subtract", "params": [42,23], "id": "2"},
        {"foo": "boo"},
        {"jsonrpc": "2.0", "method": "foo.get", "params": {"name": "myself"}, "id": "5"},
        {"jsonrpc": "2.0", "method": "get_data", "id": "9"}]"""
    )
    assert [one["id"] for one in answer] == ["1", "2", None, "5", "9"]
    assert answer[0]["result"] == {"value": 7}
    assert answer[1]["result"] == {"value": 19}
    assert is_error(answer[2], -32600)
    assert is_error(answer[3], -32601, "5")
    assert answer[4]["result"] == {"items": ["hello", "5"]}


async def test_a_batch_of_notifications_has_no_answer() -> None:
    one = '{"jsonrpc": "2.0", "method": "update", "params": [1]}'
    assert await ask(f"[{one},{one}]") is None


async def test_a_batch_has_a_largest_size() -> None:
    one = request("get_data")
    assert len(await ask("[" + ",".join([one] * MAX_BATCH) + "]")) == MAX_BATCH
    assert is_error(await ask("[" + ",".join([one] * (MAX_BATCH + 1)) + "]"), -32600)


async def ask_together(*calls: tuple[str, Any], caller: Caller = OWNER) -> Any:
    """Send a batch; return the groups of `double` and the answers."""
    groups.clear()
    body = f"[{','.join(request(name, params, index) for index, (name, params) in enumerate(calls))}]"
    return groups[:], await ask(body, caller)


async def test_calls_that_are_processed_together_are_one_group_up_to_the_next_other_call() -> None:
    calls = (("double", [2]), ("double", [4]), ("sum", [3]), ("double", [6]), ("double", [8]), ("double", [10]))
    _, answers = await ask_together(*calls)
    assert [answer["result"]["value"] for answer in answers] == [4, 8, 3, 12, 16, 20]
    assert groups == [[2, 4], [6, 8, 10]]
    _, alone = await ask_together(*calls, caller=ANYBODY)
    assert (alone, groups) == (answers, [])


async def test_calls_of_a_group_have_their_own_answers() -> None:
    observed: list[tuple[str, str]] = []
    watched = Dispatcher(METHODS, NODE, Turns(1, 0), observe=lambda name, _, code: observed.append((name, code)))
    notified = json.dumps({"jsonrpc": "2.0", "method": "double", "params": [4]})
    malformed = json.dumps({"jsonrpc": "1.0", "method": "double", "params": [4], "id": "m"})
    bodies = (request("double", [2], 1), request("double", [3], 2), notified, malformed, request("double", ["x"], 5))
    answers = json.loads(await watched.process(f"[{','.join(bodies)}]".encode(), OWNER) or b"")
    assert [answer["id"] for answer in answers] == [1, 2, "m", 5]
    assert answers[0]["result"] == {"value": 4}
    assert answers[1]["error"]["data"]["code"] == "odd"
    assert is_error(answers[2], -32600, "m")
    assert is_error(answers[3], -32602, 5)
    assert observed == [("double", code) for code in ("ok", "odd", "ok", "invalid-params")]


@pytest.mark.parametrize(("number", "code", "reason"), [(99, -32603, "internal-error"), (100, -32006, "timeout")])
async def test_what_fails_as_a_whole_fails_for_each_call_of_the_group(number: int, code: int, reason: str) -> None:
    _, answers = await ask_together(("double", [2]), ("double", [number]))
    assert [(answer["error"]["code"], answer["error"]["data"]["code"]) for answer in answers] == [(code, reason)] * 2
    assert "/secret" not in json.dumps(answers)


async def test_calls_of_a_group_that_take_long_are_made_by_themselves() -> None:
    observed: list[tuple[str, str]] = []
    watched = Dispatcher(METHODS, NODE, Turns(1, 0), observe=lambda name, _, code: observed.append((name, code)))
    requests = [json.loads(request("double", [number], number)) for number in (50, 2, 51, 4)]
    given: list[tuple[int, Any]] = []
    await watched.process_group(requests, OWNER, lambda place, answer: given.append((place, json.loads(answer or b""))))
    assert [place for place, _ in given] == [1, 3, 0, 2]
    assert [answer.get("result") for _, answer in given] == [{"value": 4}, {"value": 8}, {"value": 100}, None]
    assert given[-1][1]["error"]["data"]["code"] == "timeout"
    assert observed == [("double", code) for code in ("ok", "ok", "ok", "timeout")]
    _, answers = await ask_together(("double", [50]), ("double", [2]))
    assert [answer["result"]["value"] for answer in answers] == [100, 4]


async def test_a_batchs_answers_have_a_largest_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inos.rpc.server.dispatch.MAX_ANSWER_BYTES", 100)
    answers = await ask("[" + ",".join(request("get_data", request_id=i) for i in range(4)) + "]")
    assert [answer["id"] for answer in answers] == [0, 1, 2, 3]
    assert "result" in answers[0]
    assert answers[3]["error"]["code"] == -32009
    assert answers[3]["error"]["data"]["code"] == "answer-too-large"


@pytest.mark.parametrize(
    ("params", "param"),
    [
        (["1"], "a"),
        ([1.5], "a"),
        ([True], "a"),
        ([None], "a"),
        ([1, 2, 101], "c"),
        ({"b": 1}, "a"),
        ({"a": 1, "d": 2}, "d"),
        ({"a": [1]}, "a"),
        ({}, "a"),
    ],
)
async def test_wrong_parameters_are_named(params: Any, param: str) -> None:
    answer = await ask(json.dumps({"jsonrpc": "2.0", "method": "sum", "params": params, "id": 1}))
    assert is_error(answer, -32602, 1)
    assert answer["error"]["data"]["param"] == param
    assert f"{param}:" in answer["error"]["message"]


async def test_too_many_parameters() -> None:
    answer = await ask(request("sum", [1, 2, 3, 4]))
    assert is_error(answer, -32602, 1)
    assert "4 parameters, but sum takes a, b, c" in answer["error"]["message"]
    assert is_error(await ask(request("get_data", [1])), -32602, 1)


async def test_a_failure_inside_leaks_nothing() -> None:
    answer = await ask(request("broken"))
    assert is_error(answer, -32603, 1)
    assert "secret" not in json.dumps(answer)
    assert "KeyError" not in json.dumps(answer)


async def test_a_broken_rule_says_both_sides() -> None:
    error = (await ask(request("refused")))["error"]
    assert error["code"] == -32003
    assert error["data"].pop("hint")
    assert error["data"] == {"code": "bad-nonce", "expected": "4", "got": "7"}


async def test_a_method_ends_in_its_time() -> None:
    answer = await ask(request("slow"))
    assert is_error(answer, -32006, 1)
    assert answer["error"]["data"]["code"] == "timeout"


async def test_a_protected_method_needs_the_token() -> None:
    answer = await ask(request("guarded"))
    assert is_error(answer, -32001, 1)
    assert answer["error"]["data"] == {"code": "unauthorized", "hint": "the token is in /data/rpc.token"}
    assert (await ask(request("guarded"), OWNER))["result"] == {"value": 1}


async def test_a_large_body_is_parsed_too() -> None:
    answer = await ask(request("sum", {"a": 1, "d": "x" * 2_000_000}))
    assert is_error(answer, -32602, 1)
    assert len(json.dumps(answer)) < 1000


def test_an_error_carries_its_number() -> None:
    error = RpcError(-32002, "job-unknown", "no such job", hint="look again", job="ab")
    assert (error.number, error.code, error.hint, error.data) == (-32002, "job-unknown", "look again", {"job": "ab"})
