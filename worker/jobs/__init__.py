"""Takes a job, runs one attempt of it and records the outcome."""
