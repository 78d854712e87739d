"""Finds the commits of a release from the refs of a request."""
