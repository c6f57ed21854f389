-- Gaps in the stream that are not healed.
SELECT count() AS gaps FROM (
  SELECT status FROM gaps WHERE venue IN (${venue:sqlstring}) LATEST ON ts PARTITION BY gap_id
) WHERE status = 'open'
