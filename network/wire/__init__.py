"""The messages between nodes are defined here without any I/O: their types, their limits, and their frames.

`base` defines how a message is handled, one file per topic defines the messages, and `messages` lists them all.

An incoming frame goes to `framing.Assembler`, which holds the pieces of one message per lane under the limit of its
kind, from the first bytes on; `messages.decode_message` then checks size, canonical encoding and types. An outgoing
message goes through `messages.encode_message` to `framing.split`, which makes pieces of at most 64 KB, so that pieces
of an urgent lane are sent between those of a slower one. Everything malformed raises `Misbehaviour`, and no other
error.
"""
