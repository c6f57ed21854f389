"""Captures into the store again: by the way of live frames, beside what is stored."""
