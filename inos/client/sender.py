"""The methods of `inos.Client` around an account: its balance, signed transactions, matrices sent and fetched."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from inos import work
from inos.client import models
from inos.client.answers import convert
from inos.client.downloads import fetch_array
from inos.client.errors import ClientError, RemoteError
from inos.client.node_reader import NodeReader
from inos.client.operands import Credits, decode_fetched, encode_put, make_ref, read_credits
from inos.client.uploads import WHOLE_BYTES, Progress, ignore_progress, upload_rows
from inos.primitives.matrices import MatrixRef
from inos.primitives.transactions import Payload, Transaction, compute_tx_id
from inos.primitives.units import Nano
from inos.wallet import build
from inos.wallet.addresses import encode_address
from inos.wallet.signers import ElsewhereSigner, Signer

PUT_TIMEOUT_S: Final = 150.0
FETCH_WAIT_S: Final = 20.0
NONCE_TRIES: Final = 4
NONCE_RACES: Final = frozenset({"nonce-too-old", "replacement-fee-too-low", "bad-nonce", "already-known"})
"""Refusals that mean that another program used the account's nonce meanwhile."""


class Sender(NodeReader):
    """A NodeReader that signs for one account. A key never leaves this process.

    Args:
        signer: signs for the account; without it nothing can be signed.
    """

    def __init__(self, url: str, token: str | None, timeout_s: float, signer: Signer | None) -> None:
        super().__init__(url, token, timeout_s)
        self._signer = signer
        self._sending = asyncio.Lock()

    def check_signs_here(self, what: str) -> None:
        """Check that this client can sign by itself, before it begins what takes several transactions.

        Args:
            what: is begun, for the message.

        Raises:
            ClientError: "no-key" without a key, or if the account's transactions are signed elsewhere.
        """
        if isinstance(self._get_signer(), ElsewhereSigner):
            raise ClientError(
                "no-key",
                f"{what} takes several transactions one after another, and the keys of this account are elsewhere",
                hint="pay with a wallet that has a key here; `inos job post --unsigned FILE` drafts one product's job",
            )

    async def get_address(self) -> str:
        """Return the address of this client's account."""
        return encode_address((await self.get_network()).hrp, self._get_signer().address)

    async def account(self, address: str | None = None, *, prove: bool = False) -> models.Account:
        """Return an account at the tip, by default this client's own; with its Merkle proof if `prove` is set."""
        asked = address or await self.get_address()
        return await self._ask(models.Account, "state_getAccount", address=asked, prove=prove)

    async def transfer(
        self,
        to: str,
        amount: Credits | None = None,
        *,
        amount_nano: int | None = None,
        fee_nano: int | None = None,
    ) -> str:
        """Send credits (text, number or Decimal) or nano to an address; return the transaction's id.

        Args:
            fee_nano: the fee; by default what the node advises, if that is not above `build.MAX_ADVISED_FEE`.

        Raises:
            WalletError: the account cannot make this transaction; nothing was signed.
            RemoteError: the node refused.
        """
        nano = read_credits("amount", amount, amount_nano)
        hrp = (await self.get_network()).hrp
        return compute_tx_id(await self.send_payload(build.make_transfer(hrp, to, nano), fee_nano=fee_nano)).hex()

    async def transfer_many(
        self,
        payments: Sequence[tuple[str, Credits]] | None = None,
        *,
        payments_nano: Sequence[tuple[str, int]] | None = None,
        fee_nano: int | None = None,
    ) -> str:
        """Pay up to 256 addresses with one transaction; return its id. Each pair is an address and an amount.

        Args:
            payments: pairs with amounts in credits (text, number or Decimal).
            payments_nano: pairs with amounts in nano instead.
            fee_nano: the fee; by default what the node advises, if that is not above `build.MAX_ADVISED_FEE` a payment.

        Raises:
            WalletError: an address or amount is bad, or the account cannot pay; nothing was signed.
            RemoteError: the node refused.
        """
        if (payments is None) == (payments_nano is None):
            raise ClientError("bad-amount", "give either payments, in credits, or payments_nano")
        found = list(payments_nano or ())
        for to, amount in payments or ():
            found.append((to, read_credits(f"the amount of {to}", amount, None)))
        network = await self.get_network()
        payload = build.make_transfer_many(network.params, network.hrp, found)
        return compute_tx_id(await self.send_payload(payload, fee_nano=fee_nano)).hex()

    async def send_payload(self, payload: Payload, *, fee_nano: int | None = None, locked: int = 0) -> Transaction:
        """Sign a payload with the account's next nonce, send it, and return the transaction.

        If another program has taken the nonce, the next one is used.

        Args:
            fee_nano: the fee; by default what the node advises, if that is not above `build.MAX_ADVISED_FEE`.
            locked: nano that a claim or a dispute locks, which the payload does not say.

        Raises:
            WalletError: the account cannot make this transaction; nothing was signed. SignaturesMissing, one of them,
                has the draft for those who sign elsewhere.
            RemoteError: the node refused. ClientError: "nonce-race".
        """
        async with self._sending:  # two at once would take the same nonce
            for tries_left in reversed(range(NONCE_TRIES)):
                tx = await self.sign_payload(payload, fee_nano=fee_nano, locked=locked)
                try:
                    await self.send_transaction(tx)
                    return tx
                except RemoteError as error:
                    if not tries_left or error.code not in NONCE_RACES:
                        raise
        raise ClientError("nonce-race", "other programs keep taking this account's nonces")

    async def sign_payload(self, payload: Payload, *, fee_nano: int | None = None, locked: int = 0) -> Transaction:
        """Return a payload signed with the account's next nonce, and do not send it.

        Args:
            fee_nano, locked: as `send_payload` takes them.

        Raises:
            WalletError: the account cannot make this transaction; nothing was signed. SignaturesMissing, one of them,
                has the draft for those who sign elsewhere.
        """
        signer, network = self._get_signer(), await self.get_network()
        account, fee = await self._get_view(), await self._get_fee(fee_nano, payload)
        return build.build_transaction(signer, network.params.chain_id, account, payload, fee, locked=locked)

    async def _get_fee(self, fee_nano: int | None, payload: Payload | None = None) -> Nano:
        """Return the fee that is given, or the one that the node advises for a payload (None: a typical one).

        Raises:
            WalletError: "fee-too-high".
        """
        if fee_nano is not None:
            return Nano(fee_nano)
        asked = build.ask_fee(payload, None if self._signer is None else self._signer.owner)
        return build.check_advised_fee((await self.estimate_fee(**asked)).fee, asked.get("payments", 0))

    async def send_transaction(self, tx: Transaction) -> str:
        """Send a signed transaction; return its id in hex."""
        answer = await self.call("tx_send", {"hex": build.encode_transaction(tx)})
        expected = compute_tx_id(tx).hex()
        if not isinstance(answer, dict) or answer.get("id") != expected:
            raise ClientError(
                "bad-response", f"the node took transaction {expected}, but answered with another: {answer!r:.200}"
            )
        return expected

    async def put_matrix(self, array: NDArray[Any]) -> MatrixRef:
        """Store a matrix (int8 operand or int32 result) on the node; return its reference as computed here.

        Raises:
            ClientError: "wrong-matrix" if the node gives it another id.
        """
        ref = await asyncio.to_thread(make_ref, array)
        await self._put(array, ref, "matrix", ignore_progress)
        return ref

    async def get_matrix(self, matrix: str, *, wait_s: float = FETCH_WAIT_S) -> NDArray[Any]:
        """Return a matrix by its id in hex, checked against it; the node asks its peers for up to `wait_s` seconds.

        A file is one row of uint8, which `get_bytes` returns as bytes.
        """
        try:
            answer = await self.call("mesh_get", {"id": matrix, "wait_s": wait_s}, timeout_s=wait_s + PUT_TIMEOUT_S)
        except RemoteError as error:
            if error.code != "answer-too-large":
                raise
            return await fetch_array(self.call, matrix, wait_s)
        fetched = convert(models.MatrixData, answer, "mesh_get")
        if fetched.id != matrix:
            raise ClientError("wrong-matrix", f"matrix {matrix} was asked for, and the node sent {fetched.id}")
        return await asyncio.to_thread(decode_fetched, fetched)

    async def put_bytes(self, data: bytes | memoryview) -> MatrixRef:
        """Store a file of up to 1 GiB on the node; return its reference as computed here.

        Raises:
            InvalidMatrix: "file-too-long". ClientError: "wrong-matrix" if the node gives it another id.
        """
        ref = await asyncio.to_thread(work.compute_file_ref, data)
        await self._put(np.frombuffer(data, np.uint8), ref, "file", ignore_progress)
        return ref

    async def get_bytes(self, file: str, *, wait_s: float = FETCH_WAIT_S) -> bytes:
        """Return a file by its id in hex, checked against it; the node asks its peers for up to `wait_s` seconds.

        Raises:
            ClientError: "not-bytes" if the id is that of a matrix of numbers.
        """
        found = await self.get_matrix(file, wait_s=wait_s)
        if found.dtype != np.uint8:
            raise ClientError(
                "not-bytes",
                f"{file} is no file, but a matrix of {found.shape[0]} x {found.shape[1]} numbers",
                hint="fetch it with get_matrix",
            )
        return found.tobytes()

    async def _put(self, array: NDArray[Any], ref: MatrixRef, name: str, on_progress: Progress) -> None:
        if array.nbytes > WHOLE_BYTES:
            await upload_rows(self.call, array, ref, name, on_progress)
            return
        params = await asyncio.to_thread(encode_put, array)
        stored = convert(models.MatrixInfo, await self.call("mesh_put", params, timeout_s=PUT_TIMEOUT_S), "mesh_put")
        if stored.id != ref.id.hex():
            raise ClientError("wrong-matrix", f"the node stored matrix {ref.id.hex()} as {stored.id}")

    async def _check_affordable(self, payload: Payload, fee: int) -> None:
        build.check_affordable(payload, fee, await self._get_view())

    async def _get_view(self) -> build.AccountView:
        account = await self.account()
        return build.AccountView(nonce=account.pending_nonce, balance=account.balance)

    def _get_signer(self) -> Signer:
        if self._signer is None:
            raise ClientError("no-key", "this needs an account's key", hint="make the client with wallet= or secret=")
        return self._signer
