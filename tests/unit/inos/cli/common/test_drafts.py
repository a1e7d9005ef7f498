"""Drafts of every kind of payload as files and as lines: what is shown replaces nothing of what is signed."""

import json

import pytest

from inos.cli.common.drafts import describe_draft, list_lines
from inos.genesis import load_network
from inos.primitives.transactions import Payload
from inos.wallet.drafts import Draft, Terms, decode_draft, encode_draft, is_draft
from inos.wallet.keys import make_key
from support.payloads import PAYLOADS

NETWORK = load_network("devnet")
OWNER = bytes(make_key(b"\7" * 32).public)


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=lambda payload: type(payload).__name__)
def test_every_kind_travels_as_a_file(payload: Payload) -> None:
    draft = Draft(NETWORK.name, Terms(NETWORK.params.chain_id, OWNER, 3, 1_500_000_000, payload))
    shown = describe_draft(NETWORK, draft)
    text = encode_draft(draft, shown)
    assert is_draft(text)
    assert decode_draft(text) == draft
    assert list(json.loads(text))[:3] == ["kind", "version", "network"]
    assert shown["does"] == type(payload).__name__
    json.dumps(shown)
    assert f"{'fee':<20} 1.5 credits" in list_lines(shown)


def test_a_field_of_a_drafts_own_name_is_overruled() -> None:
    draft = Draft(NETWORK.name, Terms(NETWORK.params.chain_id, OWNER, 3, 9, next(iter(PAYLOADS.values()))))
    lying = {name: "other" for name in ("kind", "version", "network", "unsigned", "signatures")}
    assert decode_draft(encode_draft(draft, lying)) == draft
