"""`inos.BlockingClient` against a real RPC server: results, errors, payments and subscriptions, without asyncio."""

import pytest

import inos
from inos.testing import TestChain


def test_it_reads_pays_and_multiplies(inos_devnet: TestChain) -> None:
    customer, other, *_ = inos_devnet.accounts
    with inos.BlockingClient(inos_devnet.url, wallet=customer.key) as client:
        assert client.head().height == inos_devnet.height
        assert client.get_address() == customer.address
        tx = client.transfer(other.address, "1.5")
        assert client.transaction(tx).status == "included"
        assert client.account(other.address).balance == inos_devnet.funds + 1_500_000_000
        assert client.call("chain_getBlock", block=0)["height"] == 0
        with pytest.raises(inos.RemoteError) as caught:
            client.job("00" * 32)
        assert caught.value.code == "job-unknown"


def test_it_follows_what_happens(inos_devnet: TestChain) -> None:
    inos_devnet.mine(2)
    with inos.BlockingClient(inos_devnet.url) as client:
        heads = client.subscribe("heads", from_height=1)
        assert [next(heads).height, next(heads).height] == [1, 2]
        inos_devnet.mine()
        assert next(heads).height == 3


def test_after_it_is_closed_it_says_so() -> None:
    client = inos.BlockingClient("http://127.0.0.1:9")
    client.close()
    client.close()
    with pytest.raises(inos.ClientError) as caught:
        client.head()
    assert caught.value.code == "closed"
