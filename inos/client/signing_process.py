"""Signs by a process that holds the key: a hardware device's driver, a vault, or an agent (docs/wallet.md).

The process is started for each question, reads one line of JSON from its standard input, and writes one line back. What
it shows a person before it signs is its own affair; this side checks every signature that it returns.
"""

import json
import subprocess
from collections.abc import Sequence
from typing import Any, Final

from inos.primitives.codec import encode
from inos.primitives.signatures import compute_address
from inos.primitives.transactions import Transaction, compute_signing_hash
from inos.primitives.units import Address, PublicKey
from inos.wallet.errors import WalletError

VERSION: Final = 1
WAIT_S: Final = 120.0
"""A person may have to press a button."""
MAX_ANSWER: Final = 64 << 10


class SigningProcess:
    """Signs for the account of one key by a process.

    Args:
        command: starts the process: the program and its arguments.
        key: its x-only key (32 bytes), as `ask_key` tells it.
        network: the network's name, which the process may show.
    """

    def __init__(self, command: Sequence[str], key: bytes, network: str) -> None:
        self._command = command
        self._network = network
        self.owner = key
        self.address: Address = compute_address(PublicKey(key))

    def sign(self, unsigned: Transaction) -> bytes:
        """Return the process's signature.

        Raises:
            WalletError: "signer-failed", "signer-refused".
        """
        fields = (unsigned.chain_id, unsigned.sender, unsigned.nonce, unsigned.fee, unsigned.payload)
        question = {
            "method": "sign",
            "network": self._network,
            "key": self.owner.hex(),
            "transaction": encode(fields).hex(),
            "digest": compute_signing_hash(unsigned).hex(),
        }
        return _ask(self._command, question, "signature", 64)


def ask_key(command: Sequence[str], network: str) -> bytes:
    """Return the x-only key (32 bytes) of a signing process.

    Raises:
        WalletError: "signer-failed", "signer-refused".
    """
    return _ask(command, {"method": "key", "network": network}, "key", 32)


def _ask(command: Sequence[str], question: dict[str, Any], wanted: str, size: int) -> bytes:
    from inos.node.process import make_child_environment  # Other clients import nothing of a node.

    line = json.dumps({"version": VERSION, **question}) + "\n"
    try:
        run = subprocess.run(
            list(command), input=line.encode(), capture_output=True, timeout=WAIT_S, env=make_child_environment()
        )
    except subprocess.TimeoutExpired as error:
        raise _explain(command, f"does not answer within {WAIT_S:g} s") from error
    except OSError as error:
        raise _explain(command, f"cannot be started: {error.strerror}") from error
    try:
        answer = json.loads(run.stdout[:MAX_ANSWER].decode())
        if "error" in answer:
            raise WalletError(
                "signer-refused",
                f"the signing process says: {str(answer['error'])[:200]}",
                hint="look at the device, and try again; nothing was sent",
            )
        found = bytes.fromhex(answer[wanted])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        said = run.stderr[:200].decode(errors="replace").strip()
        raise _explain(command, f"answers no {wanted}{f', and says: {said}' if said else ''}") from error
    if len(found) != size:
        raise _explain(command, f"answers a {wanted} of {len(found)} bytes in place of {size}")
    return found


def _explain(command: Sequence[str], what: str) -> WalletError:
    name = command[0] if command else "(no command)"
    return WalletError(
        "signer-failed", f"the signing process {name} {what}", hint="run the command by hand; docs/wallet.md says more"
    )
