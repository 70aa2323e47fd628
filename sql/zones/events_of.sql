-- The events of a processor from one time to another, the second not included, oldest first. Of each day the newest
-- version of the zones that counted it answers, or the one that is asked for.
WITH newest AS (
  SELECT day, MAX(version) AS version
  FROM zone_minutes
  WHERE source = @source AND camera = @camera AND processor = @processor
    AND day BETWEEN @first_day AND @last_day
    AND (@version IS NULL OR version = @version)
  GROUP BY day
)
SELECT
  told.happened_at, told.kind, told.zone, told.direction, told.label, told.track, told.value, told.dwell_s, told.origin,
  told.x, told.y, told.segment, told.version
FROM zone_events AS told
JOIN newest ON newest.day = told.day AND newest.version = told.version
WHERE told.source = @source AND told.camera = @camera AND told.processor = @processor
  AND told.day BETWEEN @first_day AND @last_day
  AND told.happened_at >= @start AND told.happened_at < @stop
ORDER BY told.happened_at, told.day, told.ordinal
