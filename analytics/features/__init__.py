"""The feature store: what features and signals say of themselves, how that is checked, and their values as columns."""
