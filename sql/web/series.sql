-- Objects of each class seen at each slot, over all cameras of a source or (`@camera`) over one.
-- Sums are over the pictures that were counted; their number stands beside them.
SELECT
  slot,
  COUNT(*) AS cameras,
  CAST(SUM(CASE WHEN faulty OR missing THEN 0 ELSE 1 END) AS INT64) AS counted,
  CAST(SUM(bus) AS INT64) AS bus,
  CAST(SUM(car) AS INT64) AS car,
  CAST(SUM(cyclist) AS INT64) AS cyclist,
  CAST(SUM(motorcyclist) AS INT64) AS motorcyclist,
  CAST(SUM(person) AS INT64) AS person,
  CAST(SUM(truck) AS INT64) AS truck,
  CAST(SUM(van) AS INT64) AS van
FROM counts
WHERE
  source = @source
  AND pipeline = @pipeline
  AND slot BETWEEN @first AND @last
  AND (@camera IS NULL OR camera = @camera)
GROUP BY slot
ORDER BY slot
