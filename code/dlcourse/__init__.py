"""The code that the course book runs: one module a room.

``data``, ``losses``, ``network`` and ``learning`` are the lecture's four boxes (item S7).
Each chapter adds a module of its own beside them. Nothing here imports TensorFlow or
Sphinx, so a page that needs NumPy alone starts quickly.
"""
