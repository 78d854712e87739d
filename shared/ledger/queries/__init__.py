"""Reads of the ledger for people: lists, look-ups and counts."""
