"""What two or more of the processes need: values, providers, the ledger, settings. Imports nothing else of ours."""
