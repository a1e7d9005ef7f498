"""The errors of a node itself form one family."""

from inos.primitives.errors import InosError


class NodeError(InosError):
    """A node cannot start or go on. Codes: bad-setting, data-dir-in-use, data-dir-unusable, data-dir-foreign,
    other-genesis, port-in-use, bad-peer, bad-key-file, key-file-open, busy, start-timeout.
    """
