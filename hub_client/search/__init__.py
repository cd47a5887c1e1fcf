"""Finding operators by words: what is configured, from a small file in the cache."""
