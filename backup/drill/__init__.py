"""The proof that backups come back: a restore that is tried, measured and compared with the source."""
