"""The exact tier: the trader itself, on a clock that jumps from event to event, against the simulator's matching."""
