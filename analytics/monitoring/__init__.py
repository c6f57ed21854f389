"""Watches models after they were trained: whether what they are asked and what they say is still what they learnt."""
