"""Takes the state after a final block from peers, range by range, each with its proof."""
