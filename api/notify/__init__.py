"""Tells people of what happens, where they asked for it, and takes their commands from linked chats."""
