-- Every camera of a source that is listed or has an outcome at a slot, and the slot at which it was counted last.
WITH now AS (
  SELECT * FROM outcomes WHERE source = $source AND slot = $slot
),
last_counted AS (
  SELECT camera, MAX(slot) AS counted_slot
  FROM counts
  WHERE source = $source AND slot <= $slot AND NOT faulty AND NOT missing
  GROUP BY camera
),
listed AS (
  SELECT camera, name FROM cameras WHERE source = $source
)
SELECT
  camera,
  COALESCE(listed.name, camera) AS name,
  now.state,
  now.reason,
  now.width,
  now.height,
  now.bus,
  now.car,
  now.cyclist,
  now.motorcyclist,
  now.person,
  now.truck,
  now.van,
  last_counted.counted_slot
FROM listed
FULL JOIN now USING (camera)
LEFT JOIN last_counted USING (camera)
ORDER BY camera
