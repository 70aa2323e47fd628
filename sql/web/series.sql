-- Objects of each class seen at each slot, over all cameras of a source or (`$camera`) over one.
-- Sums are over the pictures that were counted; their number stands beside them.
SELECT
  slot,
  COUNT(*) AS cameras,
  SUM(CASE WHEN faulty OR missing THEN 0 ELSE 1 END) AS counted,
  SUM(bus) AS bus,
  SUM(car) AS car,
  SUM(cyclist) AS cyclist,
  SUM(motorcyclist) AS motorcyclist,
  SUM(person) AS person,
  SUM(truck) AS truck,
  SUM(van) AS van
FROM counts
WHERE source = $source AND slot BETWEEN $first AND $last AND ($camera IS NULL OR camera = $camera)
GROUP BY slot
ORDER BY slot
