"""The routes of the releases API: read a request, call an operation, answer."""
