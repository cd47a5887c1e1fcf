"""Rows out of files, each kind in a module of its own.

A file is opened when its rows are asked for, each time anew, and closed when they end
or nobody wants more of them.
"""
