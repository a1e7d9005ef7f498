"""The plan of what goes wrong and when, read from the user's text and drawn from a seed."""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from inos.devnet.errors import DevnetError

MOST_KILLS: Final = 120.0
MOST_PARTITIONS: Final = 20.0
MOST_DELAY_S: Final = 5.0
MOST_LIARS: Final = 8
PARTITION_S: Final = (4.0, 10.0)
"""Shortest and longest partition. At high rates partitions are shorter, so that the network is whole some of
the time.
"""
PARTED_SHARE: Final = 0.6
"""The network is partitioned for at most this share of the time."""
DOWN_S: Final = (0.5, 4.0)
"""Shortest and longest time for which a killed node stays down."""
PER: Final = {"s": 60.0, "min": 1.0, "h": 1 / 60}
EXAMPLE: Final = "kill=6/min,partition=2/min,delay=200ms,liars=2"


@dataclass(frozen=True)
class ChaosPlan:
    """What goes wrong while the devnet runs; kinds that are left out do not happen.

    Attributes:
        kill, partition: events per minute.
        delay: seconds by which every message is delayed, each way.
        liars: number of dishonest processes beside the honest nodes.
    """

    kill: float = 0.0
    partition: float = 0.0
    delay: float = 0.0
    liars: int = 0


@dataclass(frozen=True)
class Kill:
    """One node is killed without warning and started again.

    Attributes:
        at_s: seconds from the start.
        pick: a number in [0, 1) that selects one of the running nodes.
        down_s: seconds for which it stays down.
    """

    at_s: float
    pick: float
    down_s: float


@dataclass(frozen=True)
class Partition:
    """The nodes are divided into two groups that cannot reach each other.

    Attributes:
        one_side: indices of the nodes of one group; the others are the other group.
        is_silent: packets are lost without notice; otherwise connections break at once.
    """

    at_s: float
    for_s: float
    one_side: frozenset[int]
    is_silent: bool


Event: TypeAlias = Kill | Partition


def parse_chaos(text: str) -> ChaosPlan:
    """Parse a plan such as "kill=6/min,partition=2/min,delay=200ms,liars=2"; keys may be left out.

    Raises:
        DevnetError: "bad-chaos", naming the key and its allowed values.
    """
    found: dict[str, float | int] = {}
    for part in text.split(","):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if key not in _READERS:
            wanted = f"there is no {key!r}" if key else "it names nothing that goes wrong"
            raise _bad(text, wanted, f"allowed are {', '.join(_READERS)}; for example {EXAMPLE}")
        read, allowed = _READERS[key]
        if key in found:
            raise _bad(text, f"{key} is given twice", f"give {key} once, as {allowed}")
        if (number := read(value) if equals else None) is None:
            said = f"{key}={value} is not understood or out of range" if equals else f"{key} has no value"
            raise _bad(text, said, f"{key} is {allowed}")
        found[key] = number
    return ChaosPlan(**found)  # type: ignore[arg-type]


def _bad(text: str, message: str, hint: str) -> DevnetError:
    return DevnetError("bad-chaos", f"--chaos {text!r}: {message}", hint=hint)


def _read_rate(most: float) -> Callable[[str], float | None]:
    def read(value: str) -> float | None:
        if value == "0":
            return 0.0
        match = re.fullmatch(r"(\d{1,6}(?:\.\d{1,6})?)/(s|min|h)", value)
        rate = float(match[1]) * PER[match[2]] if match else None
        return rate if rate is not None and rate <= most else None

    return read


def _read_delay(value: str) -> float | None:
    match = re.fullmatch(r"(\d{1,6}(?:\.\d{1,6})?)(ms|s)", value)
    seconds = 0.0 if value == "0" else float(match[1]) / (1000 if match[2] == "ms" else 1) if match else None
    return seconds if seconds is not None and seconds <= MOST_DELAY_S else None


def _read_count(value: str) -> int | None:
    return int(value) if re.fullmatch(r"\d{1,3}", value) and int(value) <= MOST_LIARS else None


_READERS: Final[dict[str, tuple[Callable[[str], float | None], str]]] = {
    "kill": (_read_rate(MOST_KILLS), f"N/s, N/min or N/h, at most {MOST_KILLS:g}/min"),
    "partition": (_read_rate(MOST_PARTITIONS), f"N/s, N/min or N/h, at most {MOST_PARTITIONS:g}/min"),
    "delay": (_read_delay, f"Nms or Ns, at most {MOST_DELAY_S:g}s"),
    "liars": (_read_count, f"a whole number, at most {MOST_LIARS}"),
}

_UNITS: Final = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
LONGEST_S: Final = 86_400.0


def parse_duration(text: str) -> float:
    """Return the seconds of "90s", "2m", "1h" or a bare number of seconds.

    Raises:
        DevnetError: "bad-duration".
    """
    match = re.fullmatch(r"(\d{1,6}(?:\.\d{1,3})?)(s|m|min|h)?", text.strip())
    seconds = float(match[1]) * _UNITS[match[2] or "s"] if match else 0.0
    if not 1 <= seconds <= LONGEST_S:
        raise DevnetError(
            "bad-duration", f"--duration {text!r} is not a time the devnet can run", hint="write 90s, 2m or 1h"
        )
    return seconds


def draw_events(plan: ChaosPlan, nodes: int, duration_s: float, seed: int) -> list[Event]:
    """Return all events within `duration_s`, in order; they are the same for the same arguments.

    Events of a kind come at their rate: the time is divided into equal parts, with one event at a random moment of
    each.
    """
    rng = random.Random(seed)
    events: list[Event] = [
        Kill(at, rng.random(), rng.uniform(*DOWN_S)) for at in _draw_times(plan.kill, duration_s, rng)
    ]
    if nodes > 1:
        most = PARTED_SHARE * 60 / plan.partition if plan.partition else 0.0
        for at in _draw_times(plan.partition, duration_s, rng):
            side = frozenset(rng.sample(range(nodes), rng.randint(1, nodes - 1)))
            events.append(Partition(at, min(rng.uniform(*PARTITION_S), most), side, rng.random() < 0.5))
    return sorted(events, key=lambda event: event.at_s)


def _draw_times(per_minute: float, duration_s: float, rng: random.Random) -> list[float]:
    if not per_minute:
        return []
    stretch = 60 / per_minute
    # The last part may be cut short: its event happens only if it falls within the duration.
    times = [stretch * (index + rng.random()) for index in range(int(duration_s / stretch) + 1)]
    return [at for at in times if at < duration_s]
