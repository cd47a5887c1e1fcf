"""Make an operator's vectors better for one's own images."""
