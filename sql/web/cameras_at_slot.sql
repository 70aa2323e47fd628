-- with outcomes
-- Every camera of a source that is listed or has an outcome at a slot, which is `@first` and `@last`, and the slot from
-- `@since` on at which it was counted last.
WITH last_counted AS (
  SELECT camera, MAX(slot) AS counted_slot
  FROM counts
  WHERE source = @source AND pipeline = @pipeline AND slot BETWEEN @since AND @last AND NOT faulty AND NOT missing
  GROUP BY camera
),
listed AS (
  SELECT camera, name FROM cameras WHERE source = @source
)
SELECT
  camera,
  COALESCE(listed.name, camera) AS name,
  outcomes.state,
  outcomes.reason,
  outcomes.width,
  outcomes.height,
  outcomes.bus,
  outcomes.car,
  outcomes.cyclist,
  outcomes.motorcyclist,
  outcomes.person,
  outcomes.truck,
  outcomes.van,
  last_counted.counted_slot
FROM listed
FULL JOIN outcomes USING (camera)
LEFT JOIN last_counted USING (camera)
ORDER BY camera
