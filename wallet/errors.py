"""The wallet's errors: something that the user gave or keeps is wrong, and nothing was signed."""

from inos.primitives.errors import InosError


class WalletError(InosError):
    """The codes are not-an-address, bad-checksum, other-network, bad-phrase, wrong-password,
    keystore-damaged, keystore-exists, keystore-missing, bad-amount, insufficient-balance, ...
    """
