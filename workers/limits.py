"""The tables of limits: how large each kind of message may be, how often it may come, what a node keeps for workers,
and what breaking a rule costs."""

from typing import Final

from msgspec import Struct

from inos.workers.messages import (
    Ack,
    Assignment,
    Cancelled,
    Declined,
    GetRun,
    Hello,
    Measured,
    Message,
    NewTemplate,
    Refused,
    Result,
    Rows,
    RunData,
    Welcome,
)

_KB: Final = 1024


class Limit(Struct, frozen=True):
    """One side of a connection may send this much of one kind."""

    max_bytes: int
    per_s: float
    """0 for what a node sends: a worker does not count it."""
    burst: int


LIMITS: Final[dict[type[Message], Limit]] = {
    Hello: Limit(512, 0.1, 1),
    Measured: Limit(64, 0.2, 5),
    Result: Limit(8 * _KB, 50, 500),
    Rows: Limit(257 * _KB, 8000, 16000),
    GetRun: Limit(64, 1000, 4000),
    Declined: Limit(1 * _KB, 1, 10),
    Welcome: Limit(8 * _KB, 0, 0),
    NewTemplate: Limit(1 * _KB, 0, 0),
    Assignment: Limit(1 * _KB, 0, 0),
    Ack: Limit(128, 0, 0),
    RunData: Limit(1026 * _KB, 0, 0),
    Cancelled: Limit(64, 0, 0),
    Refused: Limit(2 * _KB, 0, 0),
}
"""The rows of all messages. A larger message, or one above its rate, ends the connection."""

MAX_MESSAGE_BYTES: Final = max(limit.max_bytes for limit in LIMITS.values())
"""A worker reads messages of at most this size."""
MAX_FROM_WORKER_BYTES: Final = max(limit.max_bytes for limit in LIMITS.values() if limit.burst)
"""A node reads messages of at most this size. Every connection can make it hold one, a stranger's too."""

MAX_WORKERS: Final = 1024
"""At most this many workers are connected; the token's holders have some places of their own."""
FLEET_PLACES: Final = 64
MAX_PER_HOST: Final = 64
"""At most this many strangers connect from one IP address."""
MAX_WAITING: Final = 128
"""At most this many connections have not said hello yet, or are being refused for what they said."""
MAX_WAITING_PER_HOST: Final = 16
"""So many of them come from one IP address."""
HELLO_S: Final = 10.0
"""A connection says hello within this time."""
SILENT_S: Final = 60.0
"""A worker with an assignment sends a Result at least this often; a silent one is disconnected."""
GRACE_S: Final = 5.0
"""Shares of the previous template count for this long after it was replaced."""
SHARES_PER_S: Final = 20.0
"""A worker may send this many shares per second; one that draws more gets a harder target."""
SHARES_BURST: Final = 400.0
SHARED_SHARES_PER_S: Final = 2000.0
"""All strangers together may have so many shares recomputed per second, about a third of a core; above it they wait."""
TEMPLATE_S: Final = 10.0
"""A template is replaced at this age, so that new transactions are mined."""
ASKED_RUNS: Final = 8
"""A worker asks for at most this many runs at a time."""
UNSENT_RUNS: Final = 2 * ASKED_RUNS
"""At most this many runs wait to be sent to one worker: some may be of a piece that was taken back."""
STRANGER_PART: Final = 4
"""A stranger's piece has at most this part of the tickets that its shares proved lately."""
STRANGER_WINDOW_S: Final = 600.0
LINE_PART: Final = 4
"""A piece is given if its bytes take at most this part of its computing."""
FILLER_S: Final = 86_400.0
"""A node draws new filler operands this often, and remembers those before for as long."""
FLEET_PIECE_S: Final = 1.0
"""A piece for the node's own fleet should take about so long."""
STRANGER_PIECE_S: Final = 2.0
STRANGER_MOST_S: Final = 20.0
"""No stranger gets a piece that should take longer, its operands' and rows' way included: it holds the piece for about
twice as long."""
LATE_REST_S: Final = 60.0
"""A stranger whose piece another taker finished gets no piece for so long, since each may cost a product some time."""
MAX_ROWS_ROOM: Final = 512 << 20
"""Rows of all pieces that are on their way take at most this much memory."""
WAITING_MESSAGES: Final = 64
"""So many messages wait to be sent to one worker; one that reads too slowly for it is disconnected."""
WRITE_S: Final = 30.0
"""A worker takes each message within this time."""
MAX_BANS: Final = 4096

BAN_S: Final = 600
LIE_S: Final = 3600

OFFENCES: Final[dict[str, int]] = {
    "bad-message": 0,
    "not-a-message": 0,
    "too-large": 0,
    "too-fast": 0,
    "silent": 0,
    "unexpected-message": 0,
    "unknown-assignment": 0,
    "unknown-template": 0,
    "unknown-run": 0,
    "rows-out-of-order": 0,
    "rows-missing": 0,
    "foreign-prefix": BAN_S,
    "duplicate-share": BAN_S,
    "share-outside": BAN_S,
    "share-above-target": BAN_S,
    "wrong-digest": LIE_S,
    "wrong-rows": LIE_S,
}
"""Each offence ends the connection. The worker's identity, and a stranger's IP address too, are refused for so many
seconds."""
