"""Subscriptions: following the chain, what each topic reports, and the notifications that are sent."""
