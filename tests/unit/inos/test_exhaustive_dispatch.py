"""Every dispatch over a tagged union names all members and refuses any other value."""

import ast
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from inos.chain.accountqueue import get_cost
from inos.consensus.effects import Effects
from inos.consensus.jobevents import JobEventKind
from inos.consensus.records import JobState
from inos.consensus.transactionrules import check_transaction_sanity
from inos.consensus.transactions import process_transaction
from inos.core.events import Event
from inos.network.sync.matrices.wanted import FetchStep
from inos.network.wire.base import Notice, Reply, Request
from inos.network.wire.control import Bye, Ping, Pong
from inos.network.wire.messages import KINDS as MESSAGES
from inos.primitives.bls import get_bls
from inos.primitives.transactions import Payload, Transaction, get_job_id, sign_transaction
from inos.primitives.units import Height, Tickets
from inos.programs.costs import WEIGHTS
from inos.programs.inference import RULES
from inos.programs.kernels import MAKERS
from inos.programs.ops import MatmulT, SimpleOp
from inos.programs.structure import OP_NAMES, Op, Source
from inos.rpc.methods.job.history import EVENT_NAMES
from inos.rpc.models.render import KINDS, STATE_NAMES, Renderer
from inos.wallet.build import compute_cost
from support.consensus_lab import ALICE, CHAIN_ID, Lab, get_code
from support.documents import ROOT
from support.payloads import PAYLOADS

PACKAGES = (
    *("primitives", "work", "programs", "consensus", "chain", "genesis", "wallet", "mesh"),
    *("core", "agents", "miner", "network", "workers", "rpc", "light", "node", "inos"),
)
UNIONS: dict[str, set[str]] = {
    "Payload": {kind.__name__ for kind in get_args(Payload)},
    "Event": {kind.__name__ for kind in get_args(Event)},
    "FetchStep": {kind.__name__ for kind in get_args(FetchStep)},
    "Source": {kind.__name__ for kind in get_args(Source)},
}
ANSWERING = {"handle_request"}
HEARING = {"handle_notice", "_process_notice"}


def list_sources(*packages: str) -> Iterator[tuple[Path, ast.Module]]:
    for package in packages:
        for path in sorted((ROOT / package).rglob("*.py")):
            if "node_modules" not in path.parts:
                yield path, ast.parse(path.read_text())


def list_matches() -> Iterator[tuple[str, ast.Match, set[str]]]:
    """Yield every match statement with its place and the classes that its cases name."""
    for path, tree in list_sources(*PACKAGES):
        for node in ast.walk(tree):
            if isinstance(node, ast.Match):
                names = {
                    pattern.cls.id
                    for case in node.cases
                    for pattern in ast.walk(case.pattern)
                    if isinstance(pattern, ast.MatchClass) and isinstance(pattern.cls, ast.Name)
                }
                yield f"{path.relative_to(ROOT)}:{node.lineno}", node, names


def ends_in_assert_never(node: ast.Match) -> bool:
    last = node.cases[-1]
    is_any = isinstance(last.pattern, ast.MatchAs) and last.pattern.pattern is None and last.guard is None
    return is_any and "assert_never(" in ast.unparse(last.body[0])


@pytest.mark.parametrize("union", UNIONS)
def test_a_match_over_a_union_names_every_member(union: str) -> None:
    members = UNIONS[union]
    found = [(place, node, names) for place, node, names in list_matches() if names & members]
    assert found
    for place, node, names in found:
        assert names == members, f"{place} does not name {members - names}"
        assert ends_in_assert_never(node), f"{place} does not end in assert_never"


def test_every_other_match_says_what_becomes_of_the_rest() -> None:
    for place, node, _ in list_matches():
        last = node.cases[-1].pattern
        assert isinstance(last, ast.MatchAs), place
        assert last.pattern is None, place


def name_kinds(functions: set[str]) -> set[str]:
    """Return the classes that the network's functions of these names handle by a match or isinstance."""
    names: set[str] = set()
    for _, tree in list_sources("network"):
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) and function.name in functions:
                for node in ast.walk(function):
                    if isinstance(node, ast.MatchClass) and isinstance(node.cls, ast.Name):
                        names.add(node.cls.id)
                    if isinstance(node, ast.Call) and ast.unparse(node.func) == "isinstance":
                        names |= {name.id for name in ast.walk(node.args[1]) if isinstance(name, ast.Name)}
    return names


def test_every_message_is_taken_by_some_part_of_the_network() -> None:
    requests = {kind.__name__ for kind in MESSAGES if issubclass(kind, Request)}
    notices = {kind.__name__ for kind in MESSAGES if issubclass(kind, Notice)}
    rest = {kind for kind in MESSAGES if not issubclass(kind, Request | Notice | Reply)}
    assert name_kinds(ANSWERING) >= requests
    assert name_kinds(HEARING) >= notices
    assert rest == {Ping, Pong, Bye}
    assert len(requests) >= 15
    assert len(notices) >= 7


def test_tables_by_kind_are_whole() -> None:
    assert set(OP_NAMES) == set(get_args(Op))
    assert set(RULES) == set(get_args(SimpleOp)) == {*WEIGHTS, MatmulT} == {*MAKERS, MatmulT}
    assert set(PAYLOADS) == set(KINDS) == set(get_args(Payload))
    assert set(STATE_NAMES) == set(JobState)
    assert set(EVENT_NAMES) == set(JobEventKind)
    assert all(issubclass(kind, Enum) for kind in (JobState, JobEventKind))


class Forgotten(msgspec.Struct, frozen=True, array_like=True, tag=99):
    """A payload without a case."""


def process(lab: Lab, tx: Transaction) -> None:
    process_transaction(Effects(lab.params, Height(1), Tickets(600), lab.state), tx)


DISPATCHES: dict[str, Callable[[Lab, Transaction], object]] = {
    "process_transaction": process,
    "check_transaction_sanity": lambda lab, tx: check_transaction_sanity(lab.params, tx, get_bls()),
    "get_job_id": lambda lab, tx: get_job_id(tx),
    "mempool": lambda lab, tx: get_cost(tx.payload),
    "wallet": lambda lab, tx: compute_cost(tx.payload, tx.fee),
    "rpc": lambda lab, tx: Renderer("inos").payload(tx.payload),
}


@pytest.mark.parametrize("dispatch", DISPATCHES)
def test_every_payload_passes_every_dispatch_and_a_forgotten_one_none(dispatch: str) -> None:
    lab = Lab()
    for kind, payload in PAYLOADS.items():
        tx = sign_transaction(ALICE.secret, CHAIN_ID, 0, 1, payload)
        assert get_code(lambda tx=tx: DISPATCHES[dispatch](lab, tx)) not in ("bad-nonce", "insufficient-balance"), kind
    unknown: Any = Forgotten()
    with pytest.raises(AssertionError, match="Expected code to be unreachable"):
        DISPATCHES[dispatch](lab, sign_transaction(ALICE.secret, CHAIN_ID, 0, 1, unknown))
