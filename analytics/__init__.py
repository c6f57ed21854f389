"""Turns rows into knowledge: bars and features as SQL views, frozen facts, models, signals."""
