"""Screening: a stated subset of the trader's rules over arrays of bars, compiled."""
