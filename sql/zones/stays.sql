-- with events_of
-- How long those stayed who left, by zone and class: how many, and their stays in seconds. A percentile is a stay that was
-- one: the shortest that so many per cent do not exceed.
WITH ranked AS (
  SELECT
    zone,
    label,
    dwell_s,
    ROW_NUMBER() OVER (PARTITION BY zone, label ORDER BY dwell_s) AS place,
    COUNT(*) OVER (PARTITION BY zone, label) AS objects
  FROM events_of
  WHERE kind = 'exit' AND dwell_s IS NOT NULL
)
SELECT
  zone,
  label,
  MAX(objects) AS objects,
  AVG(dwell_s) AS mean_s,
  MIN(dwell_s) AS least_s,
  MIN(IF(place >= 0.25 * objects, dwell_s, NULL)) AS percentile_25_s,
  MIN(IF(place >= 0.5 * objects, dwell_s, NULL)) AS median_s,
  MIN(IF(place >= 0.75 * objects, dwell_s, NULL)) AS percentile_75_s,
  MIN(IF(place >= 0.95 * objects, dwell_s, NULL)) AS percentile_95_s,
  MAX(dwell_s) AS longest_s
FROM ranked
GROUP BY zone, label
ORDER BY zone, label
