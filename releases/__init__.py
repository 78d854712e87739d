"""The embedded releases endpoint: stands where Sentry would, behind HTTP only. Nobody imports it."""
