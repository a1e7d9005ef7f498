"""The wallet's family of errors: something a person gave or keeps does not fit; nothing was signed."""

from inos.primitives.errors import InosError


class WalletError(InosError):
    """Codes: not-an-address, bad-checksum, other-network, bad-phrase, wrong-password,
    keystore-damaged, keystore-exists, keystore-missing, bad-amount, insufficient-balance, ...
    """
