"""Federated learning: clients train on their own data, and are paid for each update that is accepted.

Pipeline of a round: `FedPaid` (`strategy`, on Flower's server) sends the model -> a client trains, and `SignedUpdates`
(`clients`) quantises what changed, and signs it (`updates`) -> read and checked (`replies`) -> refused or accepted
(`admission`) -> aggregated by a rule that some liars cannot bend (`aggregation`) -> a record that names all of it
(`rounds`) -> paid (`payments`). The `coordinator` does all of the server's part, without Flower.

The result is robustly aggregated and not proven: nobody can check that a client trained. docs/federated.md says what
can be checked. Flower is needed for the strategy, for clients and for `LocalGrid`, and by no other module.
"""

from typing import TYPE_CHECKING, Any

from inos.learn.errors import LearnError
from inos.learn.federated.rounds import load_federation
from inos.learn.federated.verify import verify_federation

if TYPE_CHECKING:
    from inos.learn.federated.clients import SignedUpdates
    from inos.learn.federated.local import LocalGrid
    from inos.learn.federated.strategy import FedPaid

__all__ = ["FedPaid", "LocalGrid", "SignedUpdates", "load_federation", "verify_federation"]


def __getattr__(name: str) -> Any:
    """Import what needs Flower when it is first asked for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from inos.learn.federated import clients, local, strategy
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "inos":
            raise
        raise LearnError(
            "flower-missing", f"Flower is not installed, or not whole: {error.name} is missing",
            hint="pip install flwr",
        ) from error  # fmt: skip
    return {"FedPaid": strategy.FedPaid, "LocalGrid": local.LocalGrid, "SignedUpdates": clients.SignedUpdates}[name]
