"""Which of a round's updates are accepted. Each one is compared with the others and with those of earlier rounds.

Nobody can prove that a client trained, so these are tests of three things that a liar's update rarely passes at once:

- It is new: what is no mixture of earlier updates, earlier steps and the model itself is not much less than in the
  other clients' updates, and points roughly where the others' new parts point. So an old update is refused, the
  client's own or another's. Noise that is added to it makes it new, and agrees with nobody.
- It is nobody's double: two updates of a round are not much more alike than others are.
- It agrees: it points roughly where the robust step of all updates points, and is not much longer or shorter than most.

Every bound is a share of the median over the round's updates, so it holds for any model and data while fewer than half
of the updates are false. Updates are compared by a random sketch of few numbers, whose seed the server keeps to itself.
"""

import secrets
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from inos.learn.federated.aggregation import RuleName, aggregate, count_needed
from inos.learn.federated.updates import RefusedUpdate

SKETCH: Final = 1024
"""Numbers that a longer row is represented by."""
MAX_OLD: Final = 1 << 15
"""Old rows that single ones are compared with, 128 MiB."""
SPAN_SHARE: Final = 8
"""Mixtures are looked for of at most a sketch's length over this many old rows, the newest."""
NOVELTY: Final = 0.25
"""The least share of the median novelty."""
DISTINCTNESS: Final = 0.25
"""The least share of the median distance to the nearest other update."""
NEWS: Final = 0.25
"""The least share of the median cosine of an update's new part and the mean of the others' new parts."""
COMMON_NEWS: Final = 0.15
"""Where that median is less, new parts have too little in common, and only a sum over rounds tells anything."""
FADING: Final = 0.8
"""What is left of that sum one round later."""
AGREEMENT: Final = 0.3
"""The least share of the median cosine with the step."""
LENGTH: Final = 4.0
"""The largest ratio of a length and the median length."""
TINY: Final = 1e-9

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]


class Candidate(Struct, frozen=True):
    """An update that was read, and the account that it comes from."""

    sender: bytes
    row: Rows


class Sketcher:
    """Makes short rows of long ones; lengths and angles stay about the same (count sketch).

    Args:
        size: of the long rows.
        seed: nobody who could profit from it knows it.
    """

    def __init__(self, size: int, seed: int | None = None) -> None:
        self.length = min(size, SKETCH)
        self._places = None
        if size > SKETCH:
            random = np.random.default_rng(secrets.randbits(128) if seed is None else seed)
            self._places = random.integers(0, SKETCH, size, np.int64)
            self._signs = random.integers(0, 2, size, np.int8) * 2 - 1

    def sketch(self, row: NDArray[np.int64] | Floats) -> Floats:
        """Return the sketch of a row, scaled to the length 1; zeros of a row of zeros."""
        short: Floats = row.astype(np.float64)
        if self._places is not None:
            short = np.asarray(np.bincount(self._places, short * self._signs, SKETCH), np.float64)
        length = float(np.linalg.norm(short))
        return short / length if length else short


class Memory:
    """Remembers sketches of what clients could resend."""

    def __init__(self, sketcher: Sketcher) -> None:
        self.sketcher = sketcher
        self._old: deque[Floats] = deque(maxlen=MAX_OLD)
        self._evidence: dict[bytes, tuple[float, float]] = {}

    @property
    def is_used(self) -> bool:
        return bool(self._old)

    def add(self, rows: Iterable[NDArray[np.int64] | Floats]) -> None:
        """Remember rows: updates and steps."""
        self._old.extend(self.sketcher.sketch(row) for row in rows)

    def weigh(self, sender: bytes, cosine: float, usual: float) -> tuple[float, float]:
        """Add a round's cosine and the usual one to those of an account's earlier rounds, which fade; return both."""
        before = self._evidence.get(sender, (0.0, 0.0))
        self._evidence[sender] = (FADING * before[0] + cosine, FADING * before[1] + usual)
        return self._evidence[sender]

    def measure_novelty(self, sketches: Floats, now: Sequence[Floats] = ()) -> tuple[Floats, Floats]:
        """Return for each sketch how much of its length is new, 0 to 1, and its new part.

        It is new as far as it is neither one old row times a number, nor a mixture of the newest ones.

        Args:
            now: further sketches that count as old in this round.
        """
        if not self._old and not now:
            return np.ones(len(sketches)), sketches
        old = np.array([*self._old, *now])
        nearest = np.abs(sketches @ old.T).max(1, initial=0.0)
        apart = np.sqrt(np.clip(1 - np.clip(nearest, 0, 1) ** 2, 0, 1))
        span = old[-max(1, self.sketcher.length // SPAN_SHARE) :]
        base = np.linalg.qr(span.T)[0]
        rest = sketches - sketches @ base @ base.T
        return np.minimum(apart, np.linalg.norm(rest, axis=1)), rest


def admit(
    candidates: Sequence[Candidate], model: Floats, memory: Memory, rule: RuleName, liars: int
) -> tuple[list[Candidate], dict[bytes, RefusedUpdate]]:
    """Return the updates that are accepted, and why each other one is refused, by account.

    Args:
        candidates: in the order in which they came; of two that are alike the first is kept.
        model: the entries that clients began with.
    """
    refused: dict[bytes, RefusedUpdate] = {}
    left = _drop(candidates, refused, [_check_change(each) for each in candidates])
    left = _drop(left, refused, _check_novelty(left, model, memory, liars))
    left = _drop(left, refused, _check_doubles(left, memory.sketcher))
    if len(left) >= count_needed(rule, liars):
        left = _drop(
            left, refused, _check_agreement(left, aggregate(rule, np.array([each.row for each in left]), liars))
        )
    return left, refused


def _drop(
    candidates: Sequence[Candidate], refused: dict[bytes, RefusedUpdate], found: Sequence[RefusedUpdate | None]
) -> list[Candidate]:
    refused |= {each.sender: why for each, why in zip(candidates, found, strict=True) if why is not None}
    return [each for each in candidates if each.sender not in refused]


def _check_change(candidate: Candidate) -> RefusedUpdate | None:
    return None if candidate.row.any() else RefusedUpdate("no-change", "the update changes nothing")


def _check_novelty(
    candidates: Sequence[Candidate], model: Floats, memory: Memory, liars: int
) -> list[RefusedUpdate | None]:
    if not candidates:
        return []
    sketches = np.array([memory.sketcher.sketch(each.row) for each in candidates])
    novelty, news = memory.measure_novelty(sketches, [memory.sketcher.sketch(model)] if model.any() else [])
    least = max(TINY, NOVELTY * float(np.median(novelty)))
    cosines = _compare_news(news, liars)
    usual = float(np.median(cosines))
    found: list[RefusedUpdate | None] = []
    for candidate, new, cosine in zip(candidates, novelty, cosines, strict=True):
        pairs = [memory.weigh(candidate.sender, cosine, usual), (cosine, usual)] if memory.is_used else []
        why = None
        if new < least:
            why = RefusedUpdate("resent", f"{new:.2%} of the update is new, and {least:.2%} is the least in this round")
        elif any(most >= COMMON_NEWS and had < NEWS * most for had, most in pairs):
            why = RefusedUpdate("nothing-new", f"what the update adds to old ones agrees with no other: {cosine:.3f}")
        found.append(why)
    return found


def _compare_news(news: Floats, liars: int) -> Floats:
    """Return the cosine of each new part and the trimmed mean of all others; 0 if there are too few."""
    if len(news) < 2 * liars + 2:
        return np.zeros(len(news))
    unit = news / np.maximum(np.linalg.norm(news, axis=1, keepdims=True), TINY)
    cosines = np.zeros(len(unit))
    for number, each in enumerate(unit):
        others = np.sort(np.delete(unit, number, 0), 0)
        mean = others[liars : len(others) - liars].mean(0)
        cosines[number] = float(each @ mean) / max(float(np.linalg.norm(mean)), TINY)
    return cosines


def _check_doubles(candidates: Sequence[Candidate], sketcher: Sketcher) -> list[RefusedUpdate | None]:
    if len(candidates) < 2:
        return [None] * len(candidates)
    sketches = np.array([sketcher.sketch(each.row) for each in candidates])
    distances = np.linalg.norm(sketches[:, None] - sketches[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    least = max(TINY, DISTINCTNESS * float(np.median(distances.min(1))))
    found: list[RefusedUpdate | None] = []
    for number, row in enumerate(distances):
        kept = [other for other in range(number) if found[other] is None and row[other] < least]
        found.append(
            RefusedUpdate("double", f"the update is nearly that of {candidates[kept[0]].sender.hex()}")
            if kept
            else None
        )
    return found


def _check_agreement(candidates: Sequence[Candidate], step: Rows) -> list[RefusedUpdate | None]:
    direction = step.astype(np.float64)
    rows = [each.row.astype(np.float64) for each in candidates]
    lengths = np.array([np.linalg.norm(row) for row in rows])
    scale = lengths * (np.linalg.norm(direction) or 1.0)
    cosines = np.array([float(row @ direction) for row in rows]) / scale
    usual, least = float(np.median(lengths)), AGREEMENT * float(np.median(cosines))
    found: list[RefusedUpdate | None] = []
    for length, cosine in zip(lengths, cosines, strict=True):
        why = None
        if not usual / LENGTH <= length <= usual * LENGTH:
            why = RefusedUpdate("bad-length", f"the update is {length / usual:.3g} times as long as most")
        elif cosine <= 0 or cosine < least:
            why = RefusedUpdate(
                "disagrees", f"the cosine of the update and the step is {cosine:.3f}, and {least:.3f} is the least"
            )
        found.append(why)
    return found
