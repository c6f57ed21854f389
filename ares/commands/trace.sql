-- spans: the recorded spans of a trace, in the order in which they began.
SELECT ts, ts::long AS ts_ns, name, service, status, span_id, parent_id, duration_us, attributes
FROM spans WHERE trace_id = %(trace_id)s AND ts > %(since)s ORDER BY ts;

-- consequences: the signals, orders and fills that rest on the minute of this trace.
SELECT ts, 'signal' AS what, strategy, target::varchar AS detail FROM signal_values WHERE trace_id = %(trace_id)s
UNION ALL
SELECT ts, 'order ' || state AS what, strategy, order_id AS detail FROM order_events WHERE trace_id = %(trace_id)s
UNION ALL
SELECT ts, 'fill' AS what, strategy, fill_id AS detail FROM fills WHERE trace_id = %(trace_id)s;
