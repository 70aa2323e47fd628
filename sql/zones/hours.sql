-- with minutes
-- The hours of a processor: sums of their minutes, and how much of each was watched. Means of numbers inside weigh
-- minutes by what was watched of them, means of stays by those who left. `minutes` is how many minutes were watched.
SELECT
  TIMESTAMP_TRUNC(minute, HOUR) AS hour,
  zone,
  label,
  SUM(watched_s) AS watched_s,
  SUM(IF(watched_s > 0, 1, 0)) AS minutes,
  SUM(entered) AS entered,
  SUM(exited) AS exited,
  SUM(forward) AS forward,
  SUM(backward) AS backward,
  SUM(finished) AS finished,
  MIN(inside_min) AS inside_min,
  SUM(inside_mean * watched_s) / NULLIF(SUM(IF(inside_mean IS NULL, 0, watched_s)), 0) AS inside_mean,
  MAX(inside_max) AS inside_max,
  SUM(dwell_mean_s * exited) / NULLIF(SUM(IF(dwell_mean_s IS NULL, 0, exited)), 0) AS dwell_mean_s
FROM minutes
GROUP BY TIMESTAMP_TRUNC(minute, HOUR), zone, label
ORDER BY hour, zone, label
