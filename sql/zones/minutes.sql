-- The minutes of a processor from one time to another, the second not included. Of each day the newest version of the
-- zones that counted it answers, or the one that is asked for. An event that was confirmed after midnight is in the next
-- day's rows, so a minute may have two rows, which are added up.
WITH newest AS (
  SELECT day, MAX(version) AS version
  FROM zone_minutes
  WHERE source = @source AND camera = @camera AND processor = @processor
    AND day BETWEEN @first_day AND @last_day
    AND (@version IS NULL OR version = @version)
  GROUP BY day
)
SELECT
  told.minute,
  told.zone,
  told.label,
  SUM(told.watched_s) AS watched_s,
  SUM(told.entered) AS entered,
  SUM(told.exited) AS exited,
  SUM(told.forward) AS forward,
  SUM(told.backward) AS backward,
  SUM(told.finished) AS finished,
  MIN(told.inside_min) AS inside_min,
  SUM(told.inside_mean * told.watched_s) / NULLIF(SUM(IF(told.inside_mean IS NULL, 0, told.watched_s)), 0) AS inside_mean,
  MAX(told.inside_max) AS inside_max,
  SUM(told.dwell_mean_s * told.exited) / NULLIF(SUM(IF(told.dwell_mean_s IS NULL, 0, told.exited)), 0) AS dwell_mean_s
FROM zone_minutes AS told
JOIN newest ON newest.day = told.day AND newest.version = told.version
WHERE told.source = @source AND told.camera = @camera AND told.processor = @processor
  AND told.day BETWEEN @first_day AND @last_day
  AND told.minute >= @start AND told.minute < @stop
GROUP BY told.minute, told.zone, told.label
ORDER BY told.minute, told.zone, told.label
