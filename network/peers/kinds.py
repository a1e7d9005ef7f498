"""What a link is for, which decides which limit it counts against and what is done over it."""

from enum import StrEnum


class LinkKind(StrEnum):
    """Why a link exists, as seen from this side."""

    STATIC = "static"
    """Dialled because this node's user named the peer; redialled for ever."""
    OUTBOUND = "outbound"
    """Dialled from the address book to fill one of the outbound slots."""
    FEELER = "feeler"
    """Dialled to learn whether an address is true; closed at once."""
    SHORT = "short"
    """Dialled for a few questions; closed when idle."""
    INBOUND = "inbound"
    """Dialled by the other side; its hello says whether it is there for a few questions only."""

    @property
    def is_brief(self) -> bool:
        """Whether the dialler tells the other side that it wants answers and no news."""
        return self in (LinkKind.FEELER, LinkKind.SHORT)
