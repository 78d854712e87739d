"""Values and decisions: what a push, a job and a release are, and what follows from them. Imports the standard library only."""
