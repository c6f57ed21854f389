"""Datasets: named versions of bars and features as they were known, which stay as they are."""
