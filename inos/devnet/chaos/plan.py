"""`--chaos "kill=6/min,partition=2/min,delay=200ms,liars=2"` as numbers."""

import re
from typing import Final, NoReturn

from msgspec import Struct

from inos.devnet.processes import DevnetError

MAX_RATE: Final = 60.0
MAX_DELAY_S: Final = 5.0
MAX_LIARS: Final = 8
_PER: Final = {"s": 60.0, "min": 1.0, "h": 1 / 60}
_HINT: Final = 'write it like "kill=6/min,partition=2/min,delay=200ms,liars=2", or parts of it'


class ChaosPlan(Struct, frozen=True, kw_only=True):
    """What is done to the network, and how often."""

    kills_per_min: float = 0.0
    partitions_per_min: float = 0.0
    delay_s: float = 0.0
    """Added to everything on every link, each way."""
    liars: int = 0


def parse_plan(text: str) -> ChaosPlan:
    """Read the option's text.

    Raises:
        DevnetError: "bad-chaos", naming the part that is wrong.
    """
    values: dict[str, float | int] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, value = part.partition("=")
        reader = _READERS.get(name.strip())
        if reader is None:
            _refuse(f"there is no {name.strip()!r}: it knows {', '.join(_READERS)}")
        field, read = reader
        if field in values:
            _refuse(f"{name.strip()} stands there twice")
        values[field] = read(name.strip(), value.strip())
    if not values:
        _refuse("it is empty")
    return ChaosPlan(**values)  # type: ignore[arg-type]


def parse_duration(name: str, text: str) -> float:
    """Seconds of "90s", "2m", "500ms", "1h"; "bad-duration" otherwise."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|min|h)", text)
    if match is None:
        raise DevnetError("bad-duration", f"{name}: {text!r} is no time", hint="write it like 500ms, 90s, 2m or 1h")
    return float(match[1]) * {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}[match[2]]


def _read_rate(name: str, text: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)/(s|min|h)", text)
    if match is None or float(match[1]) * _PER[match[2]] > MAX_RATE:
        _refuse(f"{name}={text}: a rate is a number per s, min or h, at most {MAX_RATE:g}/min")
    return float(match[1]) * _PER[match[2]]


def _read_delay(name: str, text: str) -> float:
    seconds = parse_duration(name, text)
    if seconds > MAX_DELAY_S:
        _refuse(f"{name}={text}: a delay is at most {MAX_DELAY_S:g} s")
    return seconds


def _read_count(name: str, text: str) -> int:
    if not text.isdecimal() or int(text) > MAX_LIARS:
        _refuse(f"{name}={text}: a whole number up to {MAX_LIARS}")
    return int(text)


def _refuse(reason: str) -> NoReturn:
    raise DevnetError("bad-chaos", f"--chaos: {reason}", hint=_HINT)


_READERS: Final = {
    "kill": ("kills_per_min", _read_rate),
    "partition": ("partitions_per_min", _read_rate),
    "delay": ("delay_s", _read_delay),
    "liars": ("liars", _read_count),
}
