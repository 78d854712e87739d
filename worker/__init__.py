"""The Celery process: turns one written job into a release. Also the sweeper, which knocks for what is due."""
