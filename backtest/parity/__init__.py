"""Whether the past, played again, comes to the decisions that were taken live; and if not, why."""
