"""The console: pages for people, in the process of the API, through the same door and the same collections."""
