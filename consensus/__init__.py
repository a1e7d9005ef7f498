"""The rules, as pure synchronous functions: `(params, view, block) -> changes`, or `RuleViolation`.

There is no clock, no I/O, no randomness and no logging: callers pass in what a rule needs. If a check
cannot be made yet (clock behind, matrices missing) it raises `NotYet`, never "invalid".

Pipeline, for every block:
1. `validity.check_header_sanity`, `check_block_sanity`, `check_seal`: context-free.
2. `validity.check_header_context`, `check_clock`: against the parent and the node's time.
3. `execution.execute_block`: against the parent's state; what it changes goes to `chain` to
   be hashed (`statetree` is the slow reference) and compared by `execution.check_state_root`.
"""
