"""The trader's own code on a stepped clock against the simulator's matching, and the screening that agrees with it."""
