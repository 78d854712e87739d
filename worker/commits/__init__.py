"""Finds the commits that a release lists."""
