"""Runs the pages: which must run, on which cores, and what is kept of them."""
