"""What two or more of the processes need: values, providers, the ledger, settings. Imports nothing else of ours."""

__version__ = "0.1.0"  # the one place: `--version` of every program, and the User-Agent of what we send
