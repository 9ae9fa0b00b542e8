"""nbdag: move, keep and understand a Jupyter session."""

__version__ = "0.1.0"
