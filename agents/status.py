"""The watcher and the voter report their status in these structs, which the RPC shows."""

from msgspec import Struct

from inos.primitives.units import Address


class WatchStatus(Struct, frozen=True, kw_only=True):
    """This is what the node's watcher has done since it was started."""

    address: Address
    """This account sends challenges and disputes."""
    checked: int
    """This many results were checked to the end."""
    wrong: int
    challenged: int
    """This many challenges and disputes were sent."""
    unavailable: int
    """This many results were paid before their matrices could be fetched."""
    last_error: str


class JurorStatus(Struct, frozen=True, kw_only=True):
    """The work of the node's juror since the node started."""

    judged: int
    """Disputed results on which this node has a verdict."""
    committed: int
    opened: int
    unavailable: int
    """Disputed results whose matrices no node served."""
    last_error: str


class VoterStatus(Struct, frozen=True, kw_only=True):
    """This is the state of the node's own voter."""

    key: bytes
    """This is the voter's public BLS key."""
    address: Address | None
    """This account registered the key, or would register it; it is None if the node has no account."""
    is_registered: bool
    bond: int
    """The bond is in nano."""
    withdrawable_at: int
    """The bond can be withdrawn from this height on; it is 0 while the voter votes."""
    mined: int
    """The account has mined this much at the tip, in nano."""
    weight: int
    """A committee without limits gives the voter this weight: its mined figure, as far as the bond reaches."""
    votes_sent: int
    """This many votes were sent since the start."""
    last_voted_epoch: int
    last_error: str
