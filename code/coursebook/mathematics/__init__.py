"""Formulas, rendered while the book is built."""
