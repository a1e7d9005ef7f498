"""Tasks through a node: what is refused before anything is posted, and which outcomes are not believed."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from inos.client import tasks
from inos.client.blocking_client import BlockingClient
from inos.client.errors import ClientError, JobFailed
from inos.client.sender import FETCH_WAIT_S
from inos.client.task_terms import TaskTerms
from inos.functions import InvalidFunction
from inos.functions.limits import MAX_OUTPUT_BYTES
from inos.primitives.errors import InosError
from inos.programs import InvalidInput, InvalidProgram, ProgramBuilder
from inos.testing import TestChain, mint
from inos.wallet.errors import WalletError
from support.tasks import ECHO, RNG, W, X, make_network

TERMS = TaskTerms(may_wait_for_jury=True)
BUILT = make_network()
ABOVE = np.full_like(X, 64)


@pytest.fixture(scope="module")
def chain() -> Iterator[TestChain]:
    with TestChain(accounts=2) as chain:
        yield chain


@pytest.fixture
def client(chain: TestChain) -> Iterator[BlockingClient]:
    with BlockingClient(chain.url, secret=chain.accounts[0].secret) as client:
        yield client


def refuse(client: BlockingClient, kind: type[InosError], act: Callable[[], Any]) -> str:
    """Return the code of an error before which nothing was posted."""
    before = client.account().balance, client.account().nonce
    with pytest.raises(kind) as seen:
        act()
    assert (client.account().balance, client.account().nonce) == before
    assert not isinstance(seen.value, JobFailed)
    return seen.value.code


def test_no_task_is_posted_that_no_jury_could_judge(client: BlockingClient) -> None:
    assert refuse(client, WalletError, lambda: client.run(BUILT, [X])) == "no-jury"
    assert refuse(client, WalletError, lambda: client.call_function(ECHO, b"hello")) == "no-jury"


@pytest.mark.parametrize(
    ("inputs", "code"),
    [
        ([], "input-count"),
        ([X, X], "input-count"),
        ([X[:-1]], "input-shape"),
        ([X.T], "input-shape"),
        ([ABOVE], "input-range"),
        ([X.astype(np.float32)], "input-dtype"),
    ],
)
def test_inputs_of_other_types_are_refused(client: BlockingClient, inputs: list[Any], code: str) -> None:
    assert refuse(client, InvalidInput, lambda: client.run(BUILT, inputs, terms=TERMS)) == code


def test_a_program_beyond_the_jury_profile_is_refused(client: BlockingClient) -> None:
    builder = ProgramBuilder()
    x = builder.input(2**15, 2**14, 0, 2**40, name="x")
    weights = RNG.integers(-64, 64, (3, 50), np.int8)
    built = builder.finish([builder.add(x, x), builder.matmul(builder.input(2, 50, -64, 63), builder.operand(weights))])
    stored = client.store().matrices
    assert refuse(client, ClientError, lambda: client.run(built, [X], terms=TERMS)) == "task-too-large"
    assert client.store().matrices == stored, "nothing was uploaded for a call that is refused"


def test_nothing_is_uploaded_for_inputs_that_do_not_fit(client: BlockingClient) -> None:
    built, stored = make_network(77), client.store().matrices
    assert refuse(client, InvalidInput, lambda: client.run(built, [ABOVE], terms=TERMS)) == "input-range"
    assert client.store().matrices == stored


def test_a_program_that_no_node_has_is_unknown_after_a_moment(
    client: BlockingClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "FIND_WAIT_S", 0.1)
    began = time.monotonic()
    assert refuse(client, ClientError, lambda: client.run("ab" * 32, [X], terms=TERMS)) == "program-unknown"
    assert time.monotonic() - began < FETCH_WAIT_S / 2
    assert refuse(client, ClientError, lambda: client.get_program("00" * 32)) == "program-unknown"


def test_what_costs_more_than_the_caller_allows_is_refused(client: BlockingClient) -> None:
    terms = TaskTerms(may_wait_for_jury=True, max_cost="0.000000001")
    assert refuse(client, ClientError, lambda: client.run(BUILT, [X], terms=terms)) == "too-expensive"
    assert refuse(client, ClientError, lambda: client.call_function(ECHO, b"", terms=terms)) == "too-expensive"


def test_an_id_that_is_no_program_is_refused(client: BlockingClient) -> None:
    text, operand = client.put_bytes(b"no program"), client.put_matrix(W)
    assert refuse(client, InvalidProgram, lambda: client.run(text.id.hex(), [X], terms=TERMS)) == "malformed-program"
    assert refuse(client, InosError, lambda: client.run(operand.id.hex(), [X], terms=TERMS)) == "not-bytes"


@pytest.mark.parametrize(
    ("module", "words", "code"),
    [
        (b"no module", {}, "not-wasm"),
        (ECHO, {"pages": 0}, "memory"),
        (ECHO, {"steps": 0}, "bad-steps"),
        (ECHO, {"output_bytes": MAX_OUTPUT_BYTES + 1}, "bad-output-bytes"),
        (ECHO, {"output_bytes": MAX_OUTPUT_BYTES}, "too-much-data"),
        (ECHO, {"args": ["a\0b"]}, "zero-in-arg"),
        (ECHO, {"seed": b"short"}, "bad-seed"),
    ],
)
def test_functions_that_no_machine_runs_are_refused(
    client: BlockingClient, module: bytes, words: dict[str, Any], code: str
) -> None:
    call = lambda: client.call_function(module, b"hello", terms=TERMS, **words)  # noqa: E731
    assert refuse(client, InvalidFunction, call) == code


def lie(monkeypatch: pytest.MonkeyPatch, change: Callable[[tuple[bytes, ...]], tuple[bytes, ...]]) -> None:
    """Let the chain's worker deliver other outputs than it computes."""
    compute = mint.compute_outputs
    monkeypatch.setattr(mint, "compute_outputs", lambda *args, **words: change(compute(*args, **words)))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda found: found[:1], "1 outputs, and the program 2"),
        (lambda found: (*found, b""), "3 outputs, and the program 2"),
        (lambda found: (found[0], found[1][:-1]), "output 1 has 399 bytes"),
        (lambda found: (found[0] + b"\0", found[1]), "output 0 has 401 bytes"),
        (lambda found: (found[0], b"\xff" * 400), "output 1 has entries in -1"),
    ],
    ids=["fewer", "more", "shorter", "longer", "out of range"],
)
def test_an_outcome_that_no_run_has_is_not_believed(
    client: BlockingClient, monkeypatch: pytest.MonkeyPatch, change: Any, words: str
) -> None:
    lie(monkeypatch, change)
    with pytest.raises(JobFailed, match=words) as seen:
        client.run(BUILT, [X], terms=TERMS)
    assert seen.value.code == "wrong-result"
    assert seen.value.job in seen.value.hint, "the hint says how to dispute it"


@pytest.mark.parametrize("change", [lambda found: found * 2, lambda found: (found[0] + b"!",)], ids=["two", "longer"])
def test_an_outcome_that_no_function_has_is_not_believed(
    client: BlockingClient, monkeypatch: pytest.MonkeyPatch, change: Any
) -> None:
    lie(monkeypatch, change)
    with pytest.raises(JobFailed) as seen:
        client.call_function(ECHO, b"hello", output_bytes=5, terms=TERMS)
    assert seen.value.code == "wrong-result"


def test_the_outputs_of_a_product_are_asked_for_elsewhere(client: BlockingClient, chain: TestChain) -> None:
    client.multiply(np.eye(3, dtype=int), np.eye(3, dtype=int))
    job = next(each for each in client.jobs().jobs if each.task is None)
    with pytest.raises(ClientError) as seen:
        client.outputs(job.id)
    assert seen.value.code == "not-a-task"
