"""The subsidies that an account, and the network, mined. Both figures halve with time, as reputation does.

Both figures halve at the heights that are multiples of the half-life, each record on its own and rounded down, so
the network's is never below the sum of the accounts'.
"""

import msgspec

from inos.consensus import amounts
from inos.consensus.effects import Effects
from inos.consensus.params import Params
from inos.consensus.records import Account, NetworkMined
from inos.consensus.reputation import compute_halved
from inos.consensus.state import StateView
from inos.primitives.units import Address, Height, Nano


def compute_mined(params: Params, account: Account, height: Height) -> Nano:
    """Return the account's mined figure at `height`."""
    return Nano(compute_halved(params, account.mined, Height(account.mined_height), height))


def compute_network_mined(params: Params, state: StateView, height: Height) -> Nano:
    """Return the network's mined figure at `height`."""
    record = state.get_network_mined()
    return Nano(compute_halved(params, record.mined, Height(record.height), height))


def add_mined(effects: Effects, finder: Address, subsidy: Nano) -> None:
    """Count a block that `finder` found."""
    account = effects.state.get_account(finder)
    own = compute_mined(effects.params, account, effects.height)
    network = compute_network_mined(effects.params, effects.state, effects.height)
    _set_mined(effects, finder, amounts.add(own, subsidy, "mined"))
    _set_network_mined(effects, amounts.add(network, subsidy, "mined by the network"))


def take_mined(effects: Effects, address: Address) -> None:
    """Clear a slashed voter's mined figure, and subtract it from the network's."""
    own = compute_mined(effects.params, effects.state.get_account(address), effects.height)
    network = compute_network_mined(effects.params, effects.state, effects.height)
    _set_mined(effects, address, 0)
    _set_network_mined(effects, amounts.subtract(network, own, "mined by the network"))


def _set_mined(effects: Effects, address: Address, mined: int) -> None:
    """Set the mined figure, and write none as (0, 0), so that an emptied account equals one that was never used."""
    account = effects.state.get_account(address)
    changed = msgspec.structs.replace(account, mined=mined, mined_height=effects.height if mined else 0)
    effects.state.set_account(address, changed)


def _set_network_mined(effects: Effects, mined: int) -> None:
    effects.state.set_network_mined(NetworkMined(mined, effects.height) if mined else NetworkMined())
