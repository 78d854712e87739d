"""Rows as the JSON that Sentry answers."""
