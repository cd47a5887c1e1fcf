"""What an operator may use to run a torch module: threads, memory, faster backends.

Nothing here is loaded with the package, and torch only by a function that is called.
"""
