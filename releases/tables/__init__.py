"""The tables of the endpoint."""
