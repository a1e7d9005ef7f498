"""This package has what all others share: units, hashes, signatures, the canonical codec and the shared types.

Everything here is plain data and pure functions. It knows how a header is encoded,
not when one is valid: rules live in `consensus`.

Pipeline: bytes -> `codec.decode` (bounded, canonical) -> frozen structs -> ids by `hashing`.
"""
