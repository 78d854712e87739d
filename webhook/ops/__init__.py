"""The doors for operators: the API and the command line. Decides nothing that `shared/` does not decide."""
