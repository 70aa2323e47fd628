-- Objects of each class seen at each slot, over all cameras of a source or (`$camera`) over one.
-- Sums are over the pictures that were counted; their number stands beside them.
SELECT
  slot,
  COUNT(*) AS cameras,
  CAST(SUM(CASE WHEN faulty OR missing THEN 0 ELSE 1 END) AS BIGINT) AS counted,
  CAST(SUM(bus) AS BIGINT) AS bus,
  CAST(SUM(car) AS BIGINT) AS car,
  CAST(SUM(cyclist) AS BIGINT) AS cyclist,
  CAST(SUM(motorcyclist) AS BIGINT) AS motorcyclist,
  CAST(SUM(person) AS BIGINT) AS person,
  CAST(SUM(truck) AS BIGINT) AS truck,
  CAST(SUM(van) AS BIGINT) AS van
FROM counts
WHERE source = $source AND slot BETWEEN $first AND $last AND ($camera IS NULL OR camera = $camera)
GROUP BY slot
ORDER BY slot
