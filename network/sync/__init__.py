"""What this node wants from others, and what it gives them.

`headers` finds out what the best chain is, `window` and `blocks` fetch bodies from all who have them, `transactions`
and `announce` spread what the node has accepted, `matrices` fetches matrices in verified strips, `serve` answers
questions, `hub` puts them together. Every wanted object has a time limit, after which somebody else is asked.
"""
