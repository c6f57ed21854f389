-- hours: of each hour of the last day and each symbol the minutes that are certain, and those of them that are known.
DECLARE @from := date_trunc('hour', dateadd('h', -23, now())), @to := now()
SELECT ts::long AS ts, venue, symbol, count() AS minutes, sum(CASE status WHEN 'gap' THEN 0 ELSE 1 END) AS known,
       sum(CASE status WHEN 'traded' THEN 1 ELSE 0 END) AS traded
FROM (SELECT ts, venue, symbol, status FROM bars_1m_checked) TIMESTAMP(ts)
SAMPLE BY 1h ALIGN TO CALENDAR ORDER BY ts, venue, symbol LIMIT 20000;

-- days: the same of each day of the last week.
DECLARE @from := date_trunc('day', dateadd('d', -6, now())), @to := now()
SELECT ts::long AS ts, venue, symbol, count() AS minutes, sum(CASE status WHEN 'gap' THEN 0 ELSE 1 END) AS known,
       sum(CASE status WHEN 'traded' THEN 1 ELSE 0 END) AS traded
FROM (SELECT ts, venue, symbol, status FROM bars_1m_checked) TIMESTAMP(ts)
SAMPLE BY 1d ALIGN TO CALENDAR ORDER BY ts, venue, symbol LIMIT 20000;

-- watermarks: up to which event time everything of a symbol and channel is stored, as it was published last.
SELECT ts::long AS ts, venue, symbol, channel, watermark::long AS watermark, acked_rows
FROM ingest_watermarks WHERE ts >= dateadd('d', -7, now())
LATEST ON ts PARTITION BY venue, symbol, channel ORDER BY venue, symbol, channel LIMIT 2000;

-- checks: what each check of the data observed last, within the last week.
SELECT ts::long AS ts, check_name, venue, symbol, channel, grade, observed, unit, warn_limit, fail_limit, detail
FROM quality_checks WHERE ts >= dateadd('d', -7, now())
LATEST ON ts PARTITION BY check_name, venue, symbol, channel ORDER BY check_name, venue, symbol, channel LIMIT 5000;
