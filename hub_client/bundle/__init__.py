"""Folders that hold all that a lock needs, for machines without a network."""
