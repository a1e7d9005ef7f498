"""A light client follows headers, seals and votes, executes nothing, and answers for accounts with a proof.

Pipeline: `source` asks one untrusted node over JSON-RPC -> `headers` checks its headers (stages 1 and 2) and keeps the
tree of them -> `seals` checks witnesses of blocks that no final block covers -> `finality` follows the steps that
committees signed -> `light_client` does that for every source, again and again -> `accounts` fetches a record with its
proof against the final block's root, or the heaviest chain's if nothing is final -> `methods` answer over the client's
own JSON-RPC (`main`).

A source that is caught lying is asked no more, and its lie is reported with code, cause and hint. The client keeps
nothing on disk but its RPC token, and trusts no node.
"""
