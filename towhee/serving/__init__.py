"""Chains as functions of one value, called from Python or over HTTP."""
