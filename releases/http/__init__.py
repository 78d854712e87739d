"""Requests, headers, pagination and rate limits of the endpoint. Knows no table."""
