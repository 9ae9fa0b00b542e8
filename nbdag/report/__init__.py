"""Model values -> text for people, JSON for machines."""
