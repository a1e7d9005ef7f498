"""How `inos light` reaches an untrusted node: the client's transport, with the errors of the light client."""

from typing import Any, Final

from inos.client.errors import ClientError, RemoteError
from inos.client.transport import Transport
from inos.light.errors import Lie, LightError

CALL_S: Final = 10.0
MAX_ANSWER_BYTES: Final = 8 << 20
MAX_REASON: Final = 300


class LightConnection:
    """A connection of `inos.light`: each call is tried once, and answers are small."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._transport = Transport(url, None, CALL_S, retry_pauses_s=(), max_answer_bytes=MAX_ANSWER_BYTES)

    async def call(self, method: str, params: dict[str, Any]) -> Any:
        """Return the result of a call.

        Raises:
            LightError: "source-unreachable", "source-refused".
            Lie: "lied-malformed" where the answer is not JSON-RPC or too large.
        """
        try:
            return await self._transport.call(method, params)
        except RemoteError as error:
            reason = f"{error.message[:MAX_REASON]} [{error.code[:64]}]"
            raise LightError("source-refused", f"{self._url}: {reason}") from error
        except ClientError as error:
            if error.code == "bad-response":
                raise Lie("lied-malformed", self._url, error.message) from error
            hint = "it is asked again; or name another --node"
            raise LightError("source-unreachable", error.message, hint=hint) from error

    async def close(self) -> None:
        """Close the connection."""
        await self._transport.close()
