"""Learn which chains of headers the peers have: locator requests, and a plan for long chains."""
