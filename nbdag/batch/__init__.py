"""Notebooks that run without somebody at the keyboard, and servers that are started for somebody."""
