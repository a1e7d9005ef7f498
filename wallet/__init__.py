"""Keys, addresses, the encrypted keystore, and transactions built and signed.

Needs no node and opens no socket: what an account owns is handed in, what was signed is
handed back. Which rules the chain then applies is `consensus`'s; the checks here only keep
people from signing what cannot work.

Pipeline: `phrase` (BIP-39) -> `keys` (BIP-32, BIP-340) -> `keystore` (scrypt, ChaCha20-Poly1305)
-> `build` (payload, checks, signature) -> canonical bytes for `tx_send`.
`addresses` writes and reads addresses as bech32m with the network's prefix.
"""
