"""Raw capture: every frame as it came off the wire, on disk, in an order and a form from which it can be replayed."""
