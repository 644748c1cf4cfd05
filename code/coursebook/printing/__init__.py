"""The built book in one PDF."""
