"""The devnet's family of errors."""

from inos.primitives.errors import InosError


class DevnetError(InosError):
    """A devnet cannot start or go on. Codes: node-died, no-blocks, wrong-prediction, bad-chaos, bad-duration."""
