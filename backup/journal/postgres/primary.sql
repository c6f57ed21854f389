-- Questions to the Postgres that holds the control store; positions in its WAL are bytes from its beginning.
-- standing: what it is, and whether its WAL can be followed by whoever asks.
SELECT current_setting('server_version_num')::int / 10000 AS major,
       (SELECT system_identifier::text FROM pg_control_system()) AS system,
       current_setting('wal_level') AS wal_level,
       (SELECT setting::bigint FROM pg_settings WHERE name = 'wal_segment_size') AS segment_bytes,
       coalesce((SELECT setting::bigint FROM pg_settings WHERE name = 'max_slot_wal_keep_size'), -1) AS slot_mb_max,
       current_setting('max_wal_senders')::int AS senders_max,
       current_setting('max_replication_slots')::int AS slots_max,
       (SELECT rolreplication OR rolsuper FROM pg_roles WHERE rolname = current_user) AS may_replicate,
       current_user::text AS role,
       (SELECT count(*) FROM pg_tablespace WHERE spcname NOT IN ('pg_default', 'pg_global')) AS tablespaces,
       pg_is_in_recovery() AS standby

-- slot: the slot by which it knows how far the journal has come.
SELECT active, coalesce(wal_status, '') AS wal_status,
       coalesce(pg_wal_lsn_diff(restart_lsn, '0/0'), 0)::bigint AS position,
       coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn), 0)::bigint AS kept_bytes
FROM pg_replication_slots WHERE slot_name = :slot

-- create: from now on it keeps what the journal lacks.
SELECT slot_name::text FROM pg_create_physical_replication_slot(:slot, true)

-- drop: it keeps nothing for the journal any more.
SELECT pg_drop_replication_slot(:slot)

-- local: the mark waits for this server's disk only; a standby that is away must not hold the journal up.
SELECT set_config('synchronous_commit', 'local', false)

-- now: its clock, microseconds since 1970.
SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now_us

-- mark: a commit of its own, behind all that was committed before.
SELECT pg_wal_lsn_diff(pg_logical_emit_message(true, 'ares', ''), '0/0')::bigint AS record

-- flushed: everything before is on its disk.
SELECT pg_wal_lsn_diff(pg_current_wal_flush_lsn(), '0/0')::bigint AS position

-- recovered: whether a restored one takes commits, and how far it read the WAL before.
SELECT NOT pg_is_in_recovery() AS recovered,
       coalesce(pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0'), 0)::bigint AS position

-- store: where the control store is in it, and as whom it works there.
SELECT current_database()::text AS database, current_user::text AS role
