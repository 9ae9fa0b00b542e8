"""Which classes of which libraries arrive: made in a session, compiled, restored in a fresh process, asked on both
sides. ``python -m benchmarks.support`` writes docs/support.md."""
