"""Read the keys a node works with: from a key file, from a keystore, or from a file the node made itself."""

from pathlib import Path
from typing import Final

from inos.core.errors import NodeError
from inos.functions import is_engine_installed
from inos.genesis import Network
from inos.miner import JobKind, MinerSettings, Purpose
from inos.node.datadir import DataDir, load_or_make_secret, read_secret
from inos.node.settings import NodeSettings
from inos.primitives.secret_files import read_secret_text
from inos.primitives.signatures import compute_address, compute_public_key
from inos.primitives.transactions import JobMode
from inos.wallet.addresses import decode_address
from inos.wallet.opening import unlock_keystore
from inos.wallet.store import read_keystore
from inos.work.backends import get_backend

AUTO: Final = "auto"
MODULES: Final = "modules"
"""The folder of a data directory in which compiled modules of functions are kept."""
JOB_MODES: Final = {"checked": JobMode.CHECKED, "optimistic": JobMode.OPTIMISTIC}


def check_payee(settings: NodeSettings, network: Network) -> None:
    """Refuse a bad address before anything is written to disk.

    Raises:
        WalletError: not-an-address, bad-checksum, other-network.
    """
    if settings.mine is not None and settings.mine != AUTO:
        decode_address(network.hrp, settings.mine)
    for text in settings.first_posters:
        decode_address(network.hrp, text)


def make_miner_settings(settings: NodeSettings, network: Network, data_dir: DataDir) -> MinerSettings | None:
    """Return the miner's settings, or None if the node does not mine.

    Raises:
        NodeError: "bad-setting" if two keys are given, "bad-key-file", "key-file-open".
        WalletError: a bad address or keystore.
        InvalidBackend: the backend is unknown, or this machine lacks it.
    """
    get_backend(settings.backend)
    key = _load_key(settings, data_dir)
    if settings.mine is not None and settings.mine != AUTO:
        beneficiary = decode_address(network.hrp, settings.mine)
    elif key is not None:
        beneficiary = compute_address(compute_public_key(key))
    else:
        return None
    return MinerSettings(
        beneficiary=beneficiary,
        key=key,
        purpose=settings.purpose,
        min_reward_per_ticket=settings.min_reward_per_ticket,
        job_kinds=frozenset(map(JobKind, settings.job_kinds)) - _list_missing_kinds(),
        module_cache=data_dir.path / MODULES,
        job_modes=frozenset(JOB_MODES[name] for name in settings.job_modes),
        first_posters=frozenset(decode_address(network.hrp, text) for text in settings.first_posters),
        max_claims=settings.max_claims,
        max_job_bytes=settings.max_job_bytes,
        fetch_ahead_bytes=settings.fetch_ahead_bytes,
        filler_rate=settings.filler_rate,
        filler_rows=settings.filler_rows,
        filler_depth=settings.filler_depth,
        backend=settings.backend,
        threads=settings.threads,
        engine=settings.engine,
    )


def get_pool_key(settings: NodeSettings, miner: MinerSettings | None) -> bytes | None:
    """Return the secret of the account that a pool's blocks pay and that pays its members; None without a pool.

    Raises:
        NodeError: "bad-setting" if the node does not mine, or mines for an account whose key it lacks.
    """
    if not settings.pool:
        return None
    key = None if miner is None else miner.key
    if miner is None or key is None or compute_address(compute_public_key(key)) != miner.beneficiary:
        raise NodeError(
            "bad-setting",
            "--pool needs the key of the account that blocks pay, since that account pays the workers",
            hint="add --mine auto, --mine-key-file or --mine-wallet",
        )
    return key


def _list_missing_kinds() -> frozenset[JobKind]:
    """Return the kinds of jobs that this machine cannot compute."""
    return frozenset() if is_engine_installed() else frozenset({JobKind.FUNCTION})


def load_watch_key(settings: NodeSettings, data_dir: DataDir) -> bytes | None:
    """Return the secret that signs challenges, or None if the node does not watch; make it if no file is named.

    Raises:
        NodeError: "bad-setting", "bad-key-file", "key-file-open".
    """
    path = settings.watch_key_file
    if not settings.watch:
        if path is not None:
            raise NodeError("bad-setting", "--watch-key-file was given without --watch", hint="add --watch")
        return None
    if path is not None:
        return _check_key(read_secret(path), path)
    return _check_key(load_or_make_secret(data_dir.watch_key), data_dir.watch_key)


def _load_key(settings: NodeSettings, data_dir: DataDir) -> bytes | None:
    """Return the secret that signs for the miner; the settings may name one source at most."""
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
    if settings.mine == AUTO or (settings.mine is not None and settings.purpose is not Purpose.FILLER):
        return _check_key(load_or_make_secret(data_dir.worker_key), data_dir.worker_key)
    return None


def _open_wallet(path: Path, password_file: Path | None) -> bytes:
    if password_file is None:
        raise NodeError("bad-setting", "--mine-wallet needs the keystore's password", hint="give --password-file")
    password = read_secret_text(password_file, "password", are_blanks_meant=True)
    return unlock_keystore(path, read_keystore(path), password).secret


def _check_key(secret: bytes, path: Path) -> bytes:
    try:
        compute_public_key(secret)
    except ValueError as error:
        raise NodeError("bad-key-file", f"{path} holds no valid key: 0, or not below the curve's order") from error
    return secret
