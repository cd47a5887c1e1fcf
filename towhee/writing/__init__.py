"""Rows into files, each kind in a module of its own.

A file is written beside the one it replaces, and takes its place when it is complete:
what fails or is stopped midway leaves the old one, and nothing else.
"""
