"""Keys, addresses, the encrypted keystore, and the building and signing of transactions.

The package needs no node and opens no socket: the caller passes in what an account owns and gets back what was
signed. The chain's rules are in `consensus`; the checks here only keep
users from signing what cannot work.

Pipeline: `phrase` (BIP-39) -> `keys` (BIP-32, BIP-340) -> `keystore` (scrypt, ChaCha20-Poly1305)
-> `build` (payload, checks, signature) -> canonical bytes for `tx_send`.
`addresses` encodes and decodes addresses as bech32m with the network's prefix.
"""
