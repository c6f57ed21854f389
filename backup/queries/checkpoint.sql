-- status: whether QuestDB holds a checkpoint, and since when (UTC microseconds).
SELECT in_progress, started_at::long AS started_us FROM checkpoint_status();

-- create: let QuestDB's files be copied as they are now, while writers go on.
CHECKPOINT CREATE;

-- release: end that.
CHECKPOINT RELEASE;
