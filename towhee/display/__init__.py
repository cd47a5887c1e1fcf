"""Rows for people: as text for terminals, as HTML for notebooks."""
