"""How `inos light` reaches an untrusted node: the client's transport, with the errors of the light client."""

from typing import Any, Final

from inos.client.errors import ClientError, RemoteError
from inos.client.transport import Params, Transport
from inos.light.errors import Lie, LightError

CALL_S: Final = 10.0
MAX_ANSWER_BYTES: Final = 8 << 20
MAX_REASON: Final = 300


class LightConnection(Transport):
    """A connection of `inos.light`: each call is tried once, and answers are small."""

    def __init__(self, url: str) -> None:
        super().__init__(url, None, CALL_S, retry_pauses_s=(), max_answer_bytes=MAX_ANSWER_BYTES)

    async def call(self, method: str, params: Params = (), *, timeout_s: float | None = None) -> Any:
        """Return the result of a call.

        Raises:
            LightError: "source-unreachable", "source-refused".
            Lie: "lied-malformed" if the answer is not JSON-RPC or too large.
        """
        try:
            return await super().call(method, params, timeout_s=timeout_s)
        except RemoteError as error:
            reason = f"{error.message[:MAX_REASON]} [{error.code[:64]}]"
            raise LightError("source-refused", f"{self.url}: {reason}") from error
        except ClientError as error:
            if error.code == "bad-response":
                raise Lie("lied-malformed", self.url, error.message) from error
            hint = "it is asked again; or name another --node"
            raise LightError("source-unreachable", error.message, hint=hint) from error
