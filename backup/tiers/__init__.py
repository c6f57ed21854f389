"""What lies where: hot in QuestDB, cold in Delta Lake; and what may be dropped, when, and why not yet."""
