"""The language between nodes, without any I/O: messages, their limits, and frames.

`base` has the three ways a message is handled, a file per topic has the messages, `messages` collects them.

Way in: frame -> `framing.Assembler` (pieces of one message per lane, bounded by the limit of its kind from its first
bytes on) -> `messages.decode_message` (size, canonical encoding, types). Way out: `messages.encode_message` ->
`framing.split`, pieces of at most 64 KB, so that pieces of an urgent lane go between those of a slower one. What is
broken is `Misbehaviour`, never another error.
"""
