"""A light client: follows headers, seals and votes, executes nothing, and answers for accounts with proof.

Pipeline: `source` asks one untrusted node over JSON-RPC -> `headers` checks its headers (stages 1 and 2) and keeps
the tree of them -> `seals` has witnesses of what nothing final vouches for -> `finality` follows the steps its
committees signed -> `client` does that for every source, again and again -> `accounts` has a record proven
against the final block's root, or, where nothing is final, the heaviest chain's -> `methods` answer over its own
JSON-RPC (`main`).

A source that is caught lying is asked no more, and what it said is told with the lie's code, cause and remedy. It
keeps nothing on disk but its RPC token, and needs no trust in anybody it asks.
"""
