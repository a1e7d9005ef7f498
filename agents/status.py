"""What the watcher and the voter say of themselves; the RPC shows it."""

from msgspec import Struct

from inos.primitives.units import Address


class WatchStatus(Struct, frozen=True, kw_only=True):
    """What the node's watcher has seen since it was started."""

    address: Address
    """Who sends challenges."""
    checked: int
    """Results looked at to the end."""
    wrong: int
    challenged: int
    """Challenges sent."""
    unavailable: int
    """Results whose matrices could not be had before they were paid."""
    last_error: str


class JurorStatus(Struct, frozen=True, kw_only=True):
    """What the node's juror has done since it was started."""

    judged: int
    """Disputed results with a verdict of this node."""
    committed: int
    opened: int
    unavailable: int
    """Disputed results whose matrices nobody served."""
    last_error: str


class VoterStatus(Struct, frozen=True, kw_only=True):
    """The node's own voter."""

    key: bytes
    """Its BLS public key."""
    address: Address | None
    """Who registered the key, else whose account the node would register; None where it has none."""
    is_registered: bool
    bond: int
    """Nano."""
    leaves_at: int
    """Height from which the bond can be withdrawn; 0 while it votes."""
    mined: int
    """The account's mined figure at the tip, in nano."""
    weight: int
    """What it would weigh in a committee that nothing limits: its mined figure as far as the bond reaches."""
    votes: int
    """Sent since the start."""
    last_epoch: int
    last_error: str
