"""Pure values."""
