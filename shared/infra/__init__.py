"""Databases, HTTP, the server, logs and redaction. Knows no table, rule or provider."""
