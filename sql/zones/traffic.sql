-- How many came in a time that is open at its start and closed at its end, and when the first and the last of them did.
-- Of each day the newest version of the zones that counted it answers, or the one that is asked for. A day is counted
-- by a version if its minutes are there, with events or without.
WITH newest AS (
  SELECT day, MAX(version) AS version
  FROM zone_minutes
  WHERE source = @source AND camera = @camera AND processor = @processor
    AND day BETWEEN @first_day AND @last_day
    AND (@version IS NULL OR version = @version)
  GROUP BY day
)
SELECT
  COALESCE(SUM(events.value), 0) AS traffic,
  MIN(events.happened_at) AS min_ts,
  MAX(events.happened_at) AS max_ts
FROM zone_events AS events
JOIN newest ON newest.day = events.day AND newest.version = events.version
WHERE events.source = @source AND events.camera = @camera AND events.processor = @processor
  AND events.day BETWEEN @first_day AND @last_day
  AND events.happened_at > @start AND events.happened_at <= @stop
  AND events.kind IN ('enter', 'cross', 'finish')
  AND (@zone IS NULL OR events.zone = @zone)
  AND (@direction IS NULL OR events.direction = @direction)
  AND (@label IS NULL OR events.label = @label)
