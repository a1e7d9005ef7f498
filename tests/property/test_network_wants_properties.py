"""Wanted runs among peers that deliver, fail, stall and leave, in any order: none is lost, and none is requested from
all.
"""

from hypothesis import given, settings
from hypothesis import strategies as st

from inos.mesh.store import MatrixInfo
from inos.network.sync.matrices.wanted import (
    LACKING_S,
    MAX_ASKED,
    SLOW_S,
    Allocate,
    FetchHead,
    FetchRun,
    WantedMatrices,
)
from inos.primitives.units import MatrixId

RUNS = 9
INFO = MatrixInfo(1, 16 * 64 * RUNS, 1024, b"\x03" * 32)
ID = MatrixId(b"m" * 32)
PEERS = "abc"
steps = st.tuples(st.sampled_from(["take", "deliver", "fail", "wait"]), st.sampled_from(PEERS), st.floats(0, 2))


@settings(max_examples=150)
@given(st.booleans(), st.lists(steps, max_size=80))
def test_every_run_comes_whatever_peers_do(is_known: bool, moves: list[tuple[str, str, float]]) -> None:
    wants: WantedMatrices[str] = WantedMatrices(0)
    wants.add(ID, INFO if is_known else None, 1e9)
    missing, now = set(range(RUNS)), 0.0
    open_questions: list[tuple[str, FetchHead | Allocate | FetchRun]] = []

    def take(peer: str) -> bool:
        question = wants.take(peer, now, lambda id, limit: sorted(missing)[:limit])
        if question is None:
            return False
        open_questions.append((peer, question))
        if isinstance(question, FetchRun):
            assert question.index in missing
            asked = [each for each, one in open_questions if one == question]
            assert len(asked) == len(set(asked)) <= MAX_ASKED
        else:
            assert [type(one) for _, one in open_questions].count(type(question)) == 1
        return True

    def settle(number: int, is_lacking: bool) -> None:
        peer, question = open_questions.pop(number)
        if not is_lacking:
            match question:
                case FetchHead():
                    wants.set_info(ID, INFO)
                case Allocate():
                    wants.set_begun(ID)
                case FetchRun():
                    missing.discard(question.index)
        wants.release(peer, question, now, is_lacking=is_lacking and not isinstance(question, Allocate))

    for what, peer, amount in moves:
        mine = [number for number, (who, _) in enumerate(open_questions) if who == peer]
        match what:
            case "take":
                take(peer)
            case "wait":
                now += amount
            case _ if mine:
                settle(mine[0], is_lacking=what == "fail")
    # From here on, one peer answers every request and the others answer none: it delivers all of the rest in time.
    for number, (who, _) in reversed(list(enumerate(open_questions))):
        if who == "a":
            settle(number, is_lacking=False)
    stalled = list(open_questions)
    for _ in range(4 * RUNS + 8):
        if not missing:
            break
        now += max(LACKING_S, SLOW_S) + 0.1
        if not any(isinstance(question, FetchHead | Allocate) for _, question in stalled):
            while take("a"):
                settle(len(open_questions) - 1, is_lacking=False)
        else:  # a head is requested from one peer at a time, until it answers or is gone
            for number, (_, question) in reversed(list(enumerate(open_questions))):
                if isinstance(question, FetchHead | Allocate):
                    settle(number, is_lacking=False)
            stalled = []
    both = {question.index for _, question in open_questions if isinstance(question, FetchRun)}
    assert missing <= both
    assert all(sum(one == FetchRun(ID, index) for _, one in open_questions) == MAX_ASKED for index in missing)
