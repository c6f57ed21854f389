"""Takes what Alertmanager tells, and asks the trader for what it means."""
