-- limits_now: what bounds an account now: what was set while trading went on, else what the newest settings say.
-- Grain: account, name (of the setting under trading.risk). value in unit, NULL: not limited. origin: set, settings.
-- Values for one strategy or symbol only tighten what holds for the account, and are in `limits` alone.
-- Inputs: config_versions, limits.
CREATE OR REPLACE VIEW limits_now AS (
  WITH newest AS (
    SELECT account, settings FROM (
      SELECT account, settings, row_number() OVER (PARTITION BY account ORDER BY place DESC) AS age
      FROM (
        SELECT json_extract(settings, '$.trading.account') AS account, settings, c.version AS place
        FROM config_versions c WHERE status = 'changed'
      )
    ) WHERE age = 1
  ), configured AS (
    SELECT account, 'order_notional_quote_max' AS name, 'quote' AS unit,
           json_extract(settings, '$.trading.risk.order_notional_quote_max')::DOUBLE AS value FROM newest
    UNION ALL SELECT account, 'position_quote_max', 'quote',
           json_extract(settings, '$.trading.risk.position_quote_max')::DOUBLE FROM newest
    UNION ALL SELECT account, 'gross_exposure_quote_max', 'quote',
           json_extract(settings, '$.trading.risk.gross_exposure_quote_max')::DOUBLE FROM newest
    UNION ALL SELECT account, 'net_exposure_quote_max', 'quote',
           json_extract(settings, '$.trading.risk.net_exposure_quote_max')::DOUBLE FROM newest
    UNION ALL SELECT account, 'strategy_exposure_quote_max', 'quote',
           json_extract(settings, '$.trading.risk.strategy_exposure_quote_max')::DOUBLE FROM newest
    UNION ALL SELECT account, 'leverage_max', 'factor',
           json_extract(settings, '$.trading.risk.leverage_max')::DOUBLE FROM newest
    UNION ALL SELECT account, 'concentration_max', 'share',
           json_extract(settings, '$.trading.risk.concentration_max')::DOUBLE FROM newest
    UNION ALL SELECT account, 'daily_loss_quote_max', 'quote',
           json_extract(settings, '$.trading.risk.daily_loss_quote_max')::DOUBLE FROM newest
    UNION ALL SELECT account, 'drawdown_max', 'share',
           json_extract(settings, '$.trading.risk.drawdown_max')::DOUBLE FROM newest
    UNION ALL SELECT account, 'var_quote_max', 'quote',
           json_extract(settings, '$.trading.risk.var_quote_max')::DOUBLE FROM newest
    UNION ALL SELECT account, 'volume_share_max', 'share',
           json_extract(settings, '$.trading.risk.volume_share_max')::DOUBLE FROM newest
    UNION ALL SELECT account, 'spread_max', 'share',
           json_extract(settings, '$.trading.risk.spread_max')::DOUBLE FROM newest
    UNION ALL SELECT account, 'price_collar', 'share',
           json_extract(settings, '$.trading.risk.price_collar')::DOUBLE FROM newest
    UNION ALL SELECT account, 'liquidation_share_min', 'share',
           json_extract(settings, '$.trading.risk.liquidation_share_min')::DOUBLE FROM newest
    UNION ALL SELECT account, 'orders_per_minute_max', 'orders',
           json_extract(settings, '$.trading.risk.orders_per_minute_max')::DOUBLE FROM newest
    UNION ALL SELECT account, 'duplicate_s', 's',
           json_extract(settings, '$.trading.risk.duplicate_s')::DOUBLE FROM newest
    UNION ALL SELECT account, 'signal_age_s_max', 's',
           json_extract(settings, '$.trading.risk.signal_age_s_max')::DOUBLE FROM newest
    UNION ALL SELECT account, 'quote_age_s_max', 's',
           json_extract(settings, '$.trading.risk.quote_age_s_max')::DOUBLE FROM newest
    UNION ALL SELECT account, 'mark_age_s_max', 's',
           json_extract(settings, '$.trading.risk.mark_age_s_max')::DOUBLE FROM newest
  ), standing AS (
    SELECT account, name, value::DOUBLE AS value FROM limits
    WHERE status IN ('set', 'reset') AND coalesce(strategy, '') = '' AND coalesce(symbol, '') = ''
    LATEST ON ts PARTITION BY account, name
  )
  SELECT c.account, c.name, c.unit, coalesce(s.value, c.value) AS value,
         CASE WHEN s.value IS NULL THEN 'settings' ELSE 'set' END AS origin
  FROM configured c LEFT JOIN standing s ON s.account = c.account AND s.name = c.name
);
