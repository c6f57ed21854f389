-- datasets: every version as it was mirrored.
SELECT d.ts::long AS ts, d.name, d.status, d.gap_verdict, d.quality_verdict, d.version, d.source,
       d.span_from::long AS span_from, d.span_to::long AS span_to, d.known_to::long AS known_to, d.location,
       d.delta_version, d.rows, d.sha256, d.view_hashes, d.quality, d.made_by
FROM datasets d WHERE d.ts >= %(lo)s AND d.ts < %(hi)s LIMIT %(rows_max)s;
