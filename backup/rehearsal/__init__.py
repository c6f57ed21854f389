"""An upgrade of QuestDB, tried on a copy: does the other version read the same, take writes, and let us go back?"""
