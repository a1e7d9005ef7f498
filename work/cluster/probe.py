"""Asks a head whether it answers and takes the token. Ray's own attempt takes half a minute and says neither."""

from typing import Any, Final

from inos.work.cluster.address import ClusterError

TIMEOUT_S: Final = 10.0
METHOD: Final = "/ray.rpc.RayletDriver/ClusterInfo"
PING: Final = b"\x08\x06"
"""A ClusterInfoRequest of the type PING, in protobuf."""


def check_head(host: str, port: int, token: str) -> None:
    """Check that a head with token authentication listens there, and takes this token.

    Raises:
        ClusterError: "cluster-unreachable", "not-a-head", "cluster-open", "cluster-token-refused".
    """
    import grpc

    place = f"{host}:{port}"
    target = f"[{host}]:{port}" if ":" in host.strip("[]") and not host.startswith("[") else place
    with grpc.insecure_channel(target) as channel:
        ping = channel.unary_unary(METHOD)
        answer = _ask(ping, grpc.RpcError, ())
        if answer == "UNAVAILABLE" or answer == "DEADLINE_EXCEEDED":
            raise ClusterError(
                "cluster-unreachable",
                f"nothing answers at {place}",
                hint="start the head as docs/cluster.md shows, and open its port for this machine",
            )
        if answer == "OK":
            raise ClusterError(
                "cluster-open",
                f"the cluster at {place} asks for no token, so it runs the code of any program that reaches it",
                hint="start Ray on all its machines with RAY_AUTH_MODE=token",
            )
        if answer != "UNAUTHENTICATED":
            raise ClusterError(
                "not-a-head",
                f"what listens at {place} is no head's port for clients ({answer})",
                hint="it is 10001 unless the head was started with another one",
            )
        if _ask(ping, grpc.RpcError, (("authorization", f"Bearer {token}"),)) != "OK":
            raise ClusterError(
                "cluster-token-refused",
                f"the cluster at {place} refuses this machine's token",
                hint="copy ~/.ray/auth_token of the head here",
            )


def _ask(ping: Any, failure: type[Exception], metadata: tuple[tuple[str, str], ...]) -> str:
    """Return the name of the status that the head answers a ping with."""
    try:
        ping(PING, timeout=TIMEOUT_S, metadata=metadata)
    except failure as error:
        return str(error.code().name)  # type: ignore[attr-defined]
    return "OK"
