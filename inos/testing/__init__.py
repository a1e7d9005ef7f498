"""A chain inside a test: real rules, instant blocks, a movable clock, funded accounts, snapshots.

`TestChain` serves any program; the pytest plugin, which is installed with the package, has the fixture `inos_devnet`.

    def test_a_payment(inos_devnet):
        alice, bob, *_ = inos_devnet.accounts
        inos_devnet.send(alice, bob, "1.5")
        assert inos_devnet.get_balance(bob) == inos_devnet.funds + 1_500_000_000
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inos.testing.chain import Account, TestChain, TestChainError

__all__ = ["Account", "TestChain", "TestChainError"]


def __getattr__(name: str) -> Any:
    """Import a name of `__all__` when it is first asked for, since pytest imports the plugin in every run."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from inos.testing import chain

    return getattr(chain, name)
