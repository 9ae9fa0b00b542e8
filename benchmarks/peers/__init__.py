"""``python -m benchmarks.peers``: nbdag and what people do today, on the same notebooks, in one run (docs/peers.md)."""
