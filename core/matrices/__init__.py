"""The node stores, reads and fetches matrices, and keeps them while they are needed.

Pipeline: a caller or peer -> `service` (the store changes in its own thread; waiting callers and subscribers are told)
-> `maintenance`, which computes from chain and pool what is needed (`needs`), repairs, scrubs and saves. `uploads`
takes rows from this machine's users, `product_rows` those that the miner makes, and
`outcomes` what it computed for tasks.
"""
