"""The web process: takes webhooks in, and the doors for operators. Never talks to a target or a forge."""
