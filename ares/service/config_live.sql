-- config_versions: the history of settings as it was mirrored.
SELECT ts::long AS ts, status, cause, instance, version, fingerprint, changes, error, why, settings
FROM config_versions WHERE ts >= %(lo)s AND ts < %(hi)s LIMIT %(rows_max)s;
