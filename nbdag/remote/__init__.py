"""Execution migration: cells run on other machines with only the state they need."""
