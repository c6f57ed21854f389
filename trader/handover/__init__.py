"""Who leads an account's traders, and how one lets another lead: blue and green."""
