-- What is known of the number of objects inside at a time: the last number at or before it, and since when nobody looked
-- any more, if so. Of each day the newest version of the zones that counted it answers.
WITH newest AS (
  SELECT day, MAX(version) AS version
  FROM zone_minutes
  WHERE source = @source AND camera = @camera AND processor = @processor
    AND day BETWEEN @first_day AND @last_day
  GROUP BY day
),

told AS (
  SELECT occupancy.since, occupancy.inside
  FROM occupancy
  JOIN newest ON newest.day = occupancy.day AND newest.version = occupancy.version
  WHERE occupancy.source = @source AND occupancy.camera = @camera AND occupancy.processor = @processor
    AND occupancy.day BETWEEN @first_day AND @last_day
    AND occupancy.zone = @zone AND occupancy.since <= @stop
),

last_known AS (SELECT MAX(since) AS since FROM told WHERE inside IS NOT NULL)

SELECT told.since, told.inside
FROM told
CROSS JOIN last_known
WHERE last_known.since IS NULL OR told.since >= last_known.since
ORDER BY told.since
