"""A lock in the forms that other tools read."""
