"""Each executed page as a clean notebook, and all of them in a bundle."""
