import os

import pytest
from blake3 import blake3
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from inos.network.errors import NetworkError
from inos.network.identity import PeerAddress, load_identity, parse_peer_address

ID = "ab" * 32


def test_a_key_is_made_once_and_only_for_its_owner(tmp_path):
    first = load_identity(tmp_path)
    path = tmp_path / "node.key"
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(path.read_bytes()) == 32
    assert load_identity(tmp_path).node_id == first.node_id
    public = X25519PrivateKey.from_private_bytes(path.read_bytes()).public_key().public_bytes_raw()
    assert first.node_id == blake3(public, derive_key_context="inos v1 node id").digest()
    assert path.read_bytes().hex() not in repr(first)


def test_an_open_or_damaged_key_is_refused_and_kept(tmp_path):
    load_identity(tmp_path)
    path = tmp_path / "node.key"
    os.chmod(path, 0o644)
    with pytest.raises(NetworkError) as error:
        load_identity(tmp_path)
    assert error.value.code == "key-exposed"
    assert "chmod 600" in str(error.value)
    os.chmod(path, 0o600)
    path.write_bytes(b"short")
    with pytest.raises(NetworkError) as error:
        load_identity(tmp_path)
    assert error.value.code == "key-damaged"
    assert path.read_bytes() == b"short"
    with pytest.raises(NetworkError) as error:
        load_identity(tmp_path / "nowhere")
    assert error.value.code == "key-unreadable"


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        (f"{ID}@example.org:8646", "example.org", 8646),
        (f"{ID}@[::1]:1", "::1", 1),
        (f" {ID}@10.0.0.1:65535 ", "10.0.0.1", 65535),
    ],
)
def test_peer_addresses(text, host, port):
    address = parse_peer_address(text)
    assert address == PeerAddress(bytes.fromhex(ID), host, port)
    assert str(address) == text.strip()


@pytest.mark.parametrize(
    "text", ["", "example.org:1", f"{ID}@host", f"{ID}@host:0", f"{ID}@host:65536", f"{ID[2:]}@host:1", f"{ID}@::1:1"]
)
def test_bad_peer_addresses(text):
    with pytest.raises(NetworkError) as error:
        parse_peer_address(text)
    assert error.value.code == "bad-peer"
