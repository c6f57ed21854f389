"""InfluxDB: a copy of what is stored goes there, and what lies there can be moved in. Its client appears here alone."""
