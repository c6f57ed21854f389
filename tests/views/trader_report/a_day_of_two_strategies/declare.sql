@from := '2026-01-06T00:00:00Z'::timestamp, @to := '2026-01-07T00:00:00Z'::timestamp
