"""Ingest: what venues send becomes rows; what is missing becomes rows too. Loses nothing, says what it missed."""
