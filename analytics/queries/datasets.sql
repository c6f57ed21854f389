-- bars: the bars of a symbol as they were known at a moment.
DECLARE @t := %(known_to)s, @from := %(from)s, @to := %(to)s
SELECT ts::long AS ts_ns, status, origin, revision, known_at::long AS known_at_ns, open, high, low, close, volume, cost,
       trades, buy_volume
FROM bars_asof WHERE venue = %(venue)s AND symbol = %(symbol)s AND interval = '1m' AND ts < %(to)s;

-- features: the features of a symbol as they were known at a moment.
DECLARE @t := %(known_to)s, @from := %(from)s, @to := %(to)s
SELECT ts::long AS ts_ns, name, version AS number, value
FROM features_asof WHERE venue = %(venue)s AND symbol = %(symbol)s AND ts < %(to)s;

-- signals: what strategies wanted of a symbol's bars as it was known at a moment.
DECLARE @t := %(known_to)s, @from := %(from)s, @to := %(to)s
SELECT ts::long AS ts_ns, strategy AS name, version AS number, target AS value
FROM signals_asof WHERE venue = %(venue)s AND symbol = %(symbol)s AND ts < %(to)s;

-- gaps: the gaps of a symbol's trades that are not healed and touch a span.
SELECT count() AS gaps FROM (
  SELECT * FROM gaps WHERE venue = %(venue)s AND symbol = %(symbol)s AND channel = 'trades'
  LATEST ON ts PARTITION BY gap_id
) WHERE status <> 'healed' AND started_at < %(to)s AND (ended_at IS NULL OR ended_at > %(from)s);

-- quality: the newest result of every check of a venue whose span touches ours.
SELECT check_name, symbol, channel, grade FROM (
  SELECT * FROM quality_checks WHERE venue = %(venue)s AND span_from < %(to)s AND span_to > %(from)s
  LATEST ON ts PARTITION BY check_name, venue, symbol, channel
) ORDER BY check_name, symbol, channel;

-- view_hashes: the text of every view that is deployed, by fingerprint.
SELECT view_name, digest FROM view_digests LATEST ON ts PARTITION BY view_name;
