"""The encrypted keystore file: a recovery phrase, or one raw key, encrypted by a password.

Format, version 1: a JSON object of `header`, `ciphertext`, `check`, the last two as hex.
  header      version, kind, network name and prefix, address of account 0, index 0 (so that a wallet can be
              listed without its password), scrypt's n, r, p and salt, the cipher's nonce, and `verifier`
  scrypt      password -> 64 bytes: the first 32 are the key, the rest yields `verifier`
              (BLAKE2b-128), which tells a wrong password from the right one
  cipher      ChaCha20-Poly1305; the header's canonical JSON is its associated data
  check       SHA-256 of header and ciphertext: finds a damaged file without the password, however its JSON is laid out

So a file that does not match its check is damaged, with any password; if it matches
but the verifier does not, the password is wrong. An attacker who rewrites the file
can make either case look like the other, but cannot make the file open to another phrase.
Python cannot guarantee to wipe memory; secrets are kept in local names only and are never cached.
"""

import hashlib
import hmac
import json
import re
import secrets
import unicodedata
from typing import Any, Final, assert_never

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from msgspec import Struct

from inos.wallet.addresses import decode_address
from inos.wallet.errors import WalletError

VERSION: Final = 1
KIND: Final = "inos-keystore"
MAX_FILE_BYTES: Final = 64 << 10
MAX_SCRYPT_WORK: Final = 1 << 22
"""A file with n * r * p above this is refused. It is four times the default: 512 MiB at most, and about two seconds."""
_KEY_BYTES: Final = 32
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_HEADER_FIELDS: Final = {"version", "kind", "network", "hrp", "address", "n", "r", "p", "salt", "nonce", "verifier"}


class ScryptCost(Struct, frozen=True):
    """The cost of scrypt; the default takes 128 MiB and some tenths of a second."""

    n: int = 2**17
    r: int = 8
    p: int = 1


class Secret(Struct, frozen=True):
    """The secret that a keystore protects. `repr` shows nothing of it."""

    phrase: str
    passphrase: str = ""

    def __repr__(self) -> str:
        return "Secret(...)"


class RawKey(Struct, frozen=True):
    """A 32-byte secret key that no phrase yields, such as a node's worker.key. `repr` shows nothing of it."""

    secret: bytes

    def __repr__(self) -> str:
        return "RawKey(...)"


class KeystoreInfo(Struct, frozen=True):
    """The data of a keystore that can be read without its password."""

    network: str
    hrp: str
    address: str


def encode_keystore(
    secret: Secret | RawKey, password: str, info: KeystoreInfo, cost: ScryptCost | None = None
) -> bytes:
    """Return the file's bytes, with a fresh salt and nonce.

    Raises:
        WalletError: "bad-password" for an empty password.
    """
    if not password:
        raise WalletError("bad-password", "an empty password would protect nothing")
    cost = cost or ScryptCost()
    salt, nonce = secrets.token_bytes(16), secrets.token_bytes(12)
    key, verifier = _derive(password, salt, cost)
    header = {
        "version": VERSION,
        "kind": KIND,
        "network": info.network,
        "hrp": info.hrp,
        "address": info.address,
        "n": cost.n,
        "r": cost.r,
        "p": cost.p,
        "salt": salt.hex(),
        "nonce": nonce.hex(),
        "verifier": verifier.hex(),
    }
    sealed = ChaCha20Poly1305(key).encrypt(nonce, json.dumps(_to_content(secret)).encode(), _canonical(header))
    document = {"header": header, "ciphertext": sealed.hex(), "check": _compute_check(header, sealed)}
    return (json.dumps(document, indent=2) + "\n").encode()


def read_info(data: bytes) -> KeystoreInfo:
    """Return what can be read without the password; WalletError "keystore-damaged" as `decode_keystore`."""
    header, _ = _parse(data)
    return KeystoreInfo(network=header["network"], hrp=header["hrp"], address=header["address"])


def decode_keystore(data: bytes, password: str) -> Secret | RawKey:
    """Return the secret in a keystore file.

    Raises:
        WalletError: "keystore-damaged" if the file is not as it was written,
            "keystore-version" for one from a later version, "wrong-password".
    """
    header, sealed = _parse(data)
    cost = ScryptCost(n=header["n"], r=header["r"], p=header["p"])
    key, verifier = _derive(password, bytes.fromhex(header["salt"]), cost)
    if not hmac.compare_digest(verifier, bytes.fromhex(header["verifier"])):
        raise WalletError("wrong-password", "the password is wrong", hint="try again; the file itself is undamaged")
    try:
        plain = ChaCha20Poly1305(key).decrypt(bytes.fromhex(header["nonce"]), sealed, _canonical(header))
        return _from_content(json.loads(plain))
    except (InvalidTag, ValueError, KeyError, TypeError) as error:
        raise _damaged("the password is right, but the content was changed") from error


def _to_content(secret: Secret | RawKey) -> dict[str, str]:
    match secret:
        case Secret():
            return {"phrase": secret.phrase, "passphrase": secret.passphrase}
        case RawKey():
            return {"key": secret.secret.hex()}
        case _:
            assert_never(secret)


def _from_content(content: dict[str, str]) -> Secret | RawKey:
    if "key" in content:
        return RawKey(bytes.fromhex(content["key"]))
    return Secret(phrase=content["phrase"], passphrase=content["passphrase"])


def _parse(data: bytes) -> tuple[dict[str, Any], bytes]:
    """Return header and ciphertext, after the check value and every field's type and range were checked."""
    if len(data) > MAX_FILE_BYTES:
        raise _damaged(f"it is larger than {MAX_FILE_BYTES} bytes")
    try:
        document = json.loads(data.decode("utf-8-sig"))  # Editors add a byte order mark, or other line ends.
        header, sealed, check = document["header"], bytes.fromhex(document["ciphertext"]), document["check"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _damaged("it is not a keystore's JSON") from error
    if not isinstance(header, dict) or set(document) != {"header", "ciphertext", "check"}:
        raise _damaged("it does not have a keystore's fields")
    if not isinstance(check, str) or not check.isascii() or check != _compute_check(header, sealed):
        raise _damaged("its checksum does not match")
    if header.get("kind") == KIND and header.get("version") != VERSION:
        raise WalletError(
            "keystore-version",
            f"the keystore has version {header.get('version')!r}, this program reads version {VERSION}",
            hint="open it with the version of inos that wrote it, or a newer one",
        )
    if wrong := _find_unsound(header):
        raise _damaged(wrong)
    return header, sealed


def _find_unsound(header: dict[str, Any]) -> str:
    """Return what is wrong with a header, or "". Anybody can write one whose check value matches."""
    if set(header) != _HEADER_FIELDS or header["kind"] != KIND:
        return "it does not have a keystore's fields"
    for name in ("network", "hrp", "address", "salt", "nonce", "verifier"):
        if not isinstance(header[name], str):
            return f"its {name} is no text"
    if not all(type(header[name]) is int and header[name] > 0 for name in ("n", "r", "p")):
        return "its scrypt cost is not three positive numbers"
    n, r, p = header["n"], header["r"], header["p"]
    if n < 2 or n & (n - 1):
        return "its scrypt cost n is not a power of two"
    if n * r * p > MAX_SCRYPT_WORK:
        return "its scrypt cost is more than four times that of this program's keystores"
    for name, size in {"salt": 16, "nonce": 12, "verifier": 16}.items():
        if not _is_hex(header[name], size):
            return f"its {name} is not {size} bytes in hex"
    if not _NAME.fullmatch(header["network"]):
        return f"its network's name is {header['network'][:40]!a}"
    try:
        decode_address(header["hrp"], header["address"])
    except WalletError:
        return f"its address is {header['address'][:40]!a}, and none of the prefix {header['hrp'][:20]!a}"
    return ""


def _is_hex(text: str, size: int) -> bool:
    return len(text) == 2 * size and all(c in "0123456789abcdef" for c in text)


def _derive(password: str, salt: bytes, cost: ScryptCost) -> tuple[bytes, bytes]:
    """Return the cipher's key and the 16-byte verifier. NFKC makes a password typed on two systems the same."""
    text = unicodedata.normalize("NFKC", password).encode()
    stretched = Scrypt(salt=salt, length=2 * _KEY_BYTES, n=cost.n, r=cost.r, p=cost.p).derive(text)
    verifier = hashlib.blake2b(stretched[_KEY_BYTES:], digest_size=16, person=b"inos keystore").digest()
    return stretched[:_KEY_BYTES], verifier


def _canonical(header: dict[str, Any]) -> bytes:
    return json.dumps(header, sort_keys=True, separators=(",", ":")).encode()


def _compute_check(header: dict[str, Any], sealed: bytes) -> str:
    return hashlib.sha256(_canonical(header) + b"\n" + sealed).hexdigest()


def _damaged(reason: str) -> WalletError:
    return WalletError(
        "keystore-damaged",
        f"the keystore file is damaged: {reason}",
        hint="put back a copy of the file, or restore the wallet from its recovery phrase",
    )
