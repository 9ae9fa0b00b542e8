"""Decides what is stored and what is replayed, and emits the bundle."""
