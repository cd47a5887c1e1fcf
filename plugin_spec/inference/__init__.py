"""What an operator may use to run a torch module: threads, memory, faster backends.

``opening.open_backend`` makes a backend and checks it against eager torch;
``threads.ThreadShare`` keeps what ``set_threads`` is told; ``memory.memory_errors``
gives a full device the contract's name. Nothing heavy is loaded before it is used.
"""
