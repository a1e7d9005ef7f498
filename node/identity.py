"""For whom a node mines: an address only, a key file, a keystore, or a key the node made itself."""

from pathlib import Path
from typing import Final

from genesis import Network
from miner import MinerSettings, Purpose
from node.datadir import DataDir, load_or_make_secret, read_secret
from node.errors import NodeError
from node.settings import NodeSettings
from primitives.signatures import compute_address, compute_public_key
from primitives.units import Address
from wallet.addresses import decode_address, encode_address
from wallet.keys import derive_key
from wallet.keystore import decode_keystore
from wallet.store import read_keystore

AUTO: Final = "auto"
MAX_PASSWORD_BYTES: Final = 4096


def make_miner_settings(settings: NodeSettings, network: Network, data_dir: DataDir) -> MinerSettings | None:
    """The miner's orders, or None where the node does not mine.

    Raises:
        NodeError: "bad-setting" where two identities are given or they contradict each other,
            "bad-key-file", "key-file-open". WalletError: a bad address or keystore.
    """
    key = _load_key(settings, data_dir)
    address = None
    if settings.mine is not None and settings.mine != AUTO:
        address = decode_address(network.hrp, settings.mine)
    if key is None and address is None:
        return None
    beneficiary = address if key is None and address is not None else _get_owner(key or b"")
    if address is not None and address != beneficiary:
        raise NodeError(
            "bad-setting",
            f"--mine names {settings.mine}, but the key given belongs to {encode_address(network.hrp, beneficiary)}",
            hint="merit can be used only by the account that earned it: leave --mine out, or give that account's key",
        )
    if key is None and settings.purpose is Purpose.JOBS:
        raise NodeError(
            "bad-setting",
            "--purpose jobs needs a key that can sign claims, and --mine gives an address only",
            hint="give --mine auto, --mine-key-file or --mine-wallet",
        )
    return MinerSettings(
        beneficiary=beneficiary,
        key=key,
        purpose=settings.purpose,
        min_reward_per_ticket=settings.min_reward_per_ticket,
        max_claims=settings.max_claims,
        max_job_bytes=settings.max_job_bytes,
        allow_merit=settings.allow_merit,
        filler_rate=settings.filler_rate,
        filler_rows=settings.filler_rows,
        filler_depth=settings.filler_depth,
        backend=settings.backend,
        threads=settings.threads,
    )


def _load_key(settings: NodeSettings, data_dir: DataDir) -> bytes | None:
    """The secret that signs for the miner; at most one source may be given."""
    given = {
        "--mine auto": settings.mine == AUTO,
        "--mine-key-file": settings.mine_key_file is not None,
        "--mine-wallet": settings.mine_wallet is not None,
    }
    named = [name for name, is_given in given.items() if is_given]
    if len(named) > 1:
        raise NodeError("bad-setting", f"{' and '.join(named)} were given", hint="one mining key is enough")
    if settings.mine_key_file is not None:
        return _check_key(read_secret(settings.mine_key_file), settings.mine_key_file)
    if settings.mine_wallet is not None:
        return _open_wallet(settings.mine_wallet, settings.password_file)
    if settings.mine == AUTO:
        return _check_key(load_or_make_secret(data_dir.worker_key), data_dir.worker_key)
    return None


def _open_wallet(path: Path, password_file: Path | None) -> bytes:
    if password_file is None:
        raise NodeError("bad-setting", "--mine-wallet needs the keystore's password", hint="give --password-file")
    try:
        with password_file.open("rb") as file:
            password = file.read(MAX_PASSWORD_BYTES).decode("utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise NodeError("bad-setting", f"cannot read the password in {password_file}: {error}") from error
    secret = decode_keystore(read_keystore(path), password)
    return derive_key(secret.phrase, passphrase=secret.passphrase).secret


def _check_key(secret: bytes, path: Path) -> bytes:
    try:
        compute_public_key(secret)
    except ValueError as error:
        raise NodeError("bad-key-file", f"{path} holds no valid key: 0, or not below the curve's order") from error
    return secret


def _get_owner(secret: bytes) -> Address:
    return compute_address(compute_public_key(secret))
