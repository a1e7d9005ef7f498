"""A faucet for test networks: a web page that gives each address a few credits, within limits.

Pipeline: `server` (page and JSON) -> `faucet` (limits and claims, on disk) -> `inos.client.payouts` (pays each once).
"""
