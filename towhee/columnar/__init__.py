"""Rows kept as columns: Arrow record batches, each a chunk of rows."""
