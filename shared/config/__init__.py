"""Environment variables, `.env` and `tagship.toml` as typed values. Opens no connection."""
