"""Sets of names, written as one string: the tables of the analysis are meant to be read and added to."""


def words(text: str) -> frozenset[str]:
    """The space-separated words of ``text``."""
    return frozenset(text.split())
