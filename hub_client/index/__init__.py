"""An index: a git repository with one small file per operator."""
