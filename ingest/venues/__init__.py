"""The venues we can collect from. Decoders are pure; `ccxt` appears nowhere else in this package."""
