"""The control store on its way to the repository: orders, fills, events, audit, and what waits for QuestDB."""
