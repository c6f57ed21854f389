"""What happens, as it happens: channels over a WebSocket."""
