"""light_*: headers, witnesses, finality proofs and state proofs, as bytes for light clients."""

from typing import Final

from inos.rpc.method import Method, collect_methods
from inos.rpc.methods.light import proofs

METHODS: Final[dict[str, Method]] = collect_methods(proofs)
