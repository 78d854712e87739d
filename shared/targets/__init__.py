"""The client of the releases API (Sentry and compatible servers) and what was exchanged with it. Stores nothing."""
