"""The pool counts what workers of others earn, and pays them.

Income of the lottery is divided by the last 2·D tickets that shares stand for; a job's reward by the tickets of the
pieces that were delivered. Everything is integers, and written to a database before anybody is told of it.

Pipeline: shares and pieces of the worker service -> `window`, `fairness` (is there noise in a piece?), `targets` (how
hard shares are) -> blocks and paid jobs on the chain -> `split` -> `books` (what each address earned, is owed and was
paid, in `store`) -> `payouts` (one TransferMany at a time) -> RPC.

The package believes nothing that a worker says of itself, knows no sockets, and decides no rule of consensus.
"""
