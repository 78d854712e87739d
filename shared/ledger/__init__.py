"""Every table of the ledger and every SQL statement on it. The caller owns the transaction."""
