"""Time the honest miner and every cheat in alternating rounds, and verify the tickets that win."""

import statistics
import time
from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct

from cheating.strategies import Attack, Turn
from inos.primitives.matrices import Seal, Witness
from inos.primitives.units import U256_MAX
from inos.work import compute_strip, verify

PAUSE_S: Final = 0.02
WINS: Final = 4
"""The number of winning tickets per call, so that the time to find them is measured too."""


class Result(Struct, frozen=True):
    """The measurements of one cheat."""

    name: str
    skips: str
    tickets: int
    """The number of tickets in one call."""
    tickets_per_s: float
    ratio: float
    """The ratio to the honest miner: the median over rounds, each relative to the call just before."""
    cpu_ratio: float
    """The same ratio by processor time, which is more stable while other programs use the processors."""
    verified: int
    """The number of winning tickets that were found and verified as a node would."""


def measure(attacks: Sequence[Attack], rounds: int) -> list[Result]:
    """Time each cheat once per round, and the honest miner, which is the first attack, before each; round 0 is a
    warm-up.

    Raises:
        InvalidCertificate: a winning ticket is invalid, so the cheat does not work.
    """
    timed = [Timed(attack) for attack in attacks]
    honest = timed[0]
    for turn in range(rounds + 1):
        for one in timed:
            before = honest.run(honest.tickets)
            after = before if one is honest else one.run(honest.tickets)
            if turn:
                one.speeds.append(after.per_s)
                one.ratios.append((after.per_s / before.per_s, after.per_cpu_s / before.per_cpu_s))
    return [one.get_result() for one in timed]


class Speed(Struct, frozen=True):
    """The speed of drawing tickets."""

    per_s: float
    per_cpu_s: float


class Timed:
    """One attack, its nonces, and its measurements."""

    def __init__(self, attack: Attack) -> None:
        self.attack = attack
        self.tickets = 0
        """The number of tickets in one call, known after the first."""
        self.speeds: list[float] = []
        self.ratios: list[tuple[float, float]] = []
        self._verified = 0
        self._nonce = 0

    def run(self, most: int) -> Speed:
        """Time as many calls as are needed to draw about `most` tickets, each under a new anchor."""
        calls = max(1, most // self.tickets) if self.tickets else 1
        target = U256_MAX // max(1, self.tickets * calls) * WINS if self.tickets else U256_MAX >> 10
        found: list[tuple[Turn, list[tuple[int, int, int, bytes]]]] = []
        time.sleep(PAUSE_S)
        started, started_cpu = time.perf_counter(), time.process_time()
        for _ in range(calls):
            wins: list[tuple[int, int, int, bytes]] = []
            found.append((self._draw(target, wins), wins))
        elapsed, elapsed_cpu = time.perf_counter() - started, time.process_time() - started_cpu
        self.tickets = found[0][0].tickets
        self._verified += sum(check_wins(turn, wins, target) for turn, wins in found)
        drawn = sum(turn.tickets for turn, _ in found)
        return Speed(drawn / elapsed, drawn / elapsed_cpu)

    def _draw(self, target: int, wins: list[tuple[int, int, int, bytes]]) -> Turn:
        self._nonce += 1
        return self.attack.draw(self._nonce.to_bytes(32, "big"), target, lambda *win: wins.append(win))

    def get_result(self) -> Result:
        return Result(
            self.attack.name,
            self.attack.skips,
            self.tickets,
            statistics.median(self.speeds),
            statistics.median(ratio for ratio, _ in self.ratios),
            statistics.median(ratio for _, ratio in self.ratios),
            self._verified,
        )


def check_wins(turn: Turn, wins: Sequence[tuple[int, int, int, bytes]], target: int) -> int:
    """Make and verify the seal and witness of each, and return their number. Raises InvalidCertificate."""
    x, w = turn.x, turn.w
    for i, j, p, digest in wins:
        places: list[Any] = []
        for operand, strip in ((x, i), (w, j)):
            index = strip * operand.panels + p
            places += [compute_strip(operand.array, index), operand.tree.compute_path(index)]
        verify(Seal(x.ref, w.ref, i, j, p, digest), Witness(*places), turn.anchor, target)
    return len(wins)
