"""Sessions that save themselves: the directory they save into, who works in it, and what is there after a crash."""

from nbdag.saving.directory import LATEST, LastSave, last_save

__all__ = ["LATEST", "LastSave", "last_save"]
