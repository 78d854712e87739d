"""What a real Sentry 23.7.1 answered: `sessions.py` says which requests, `record.py` asks, `answers.json` is what came back."""
