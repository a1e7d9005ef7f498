"""The errors of a client: between it and a node, or with a job."""

from typing import Any

from inos.primitives.errors import InosError


class ClientError(InosError):
    """A call or a request to the client failed. Codes: node-unreachable, timeout, bad-response, bad-url, no-key,
    bad-amount, bad-reward, wrong-matrix, and others.
    """


class RemoteError(ClientError):
    """The node refused a call; `code` is the node's.

    Args:
        number: the JSON-RPC error number.
        data: the error's data as the node sent it.
    """

    def __init__(self, number: int, code: str, message: str, *, hint: str = "", data: Any = None) -> None:
        super().__init__(code, message, hint=hint)
        self.number = number
        self.data = data


class JobFailed(ClientError):
    """A job brought no result. Codes: job-cancelled, job-expired, job-timeout, job-lost, job-open, wrong-result,
    result-missing.

    Args:
        job: the job's id in hex.
    """

    def __init__(self, code: str, job: str, message: str, *, hint: str = "") -> None:
        super().__init__(code, message, hint=hint)
        self.job = job
