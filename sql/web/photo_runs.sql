-- The runs whose outcome is the newest of a picture of an inbox, the last one first.
SELECT
  run,
  MAX_BY(profile, processed_at) AS profile,
  COUNT(*) AS pictures,
  COUNTIF(status = 'failed') AS failed,
  COUNTIF(status = 'held') AS held,
  MIN(processed_at) AS first,
  MAX(processed_at) AS last
FROM road_photos
WHERE source = @source
GROUP BY run
ORDER BY last DESC, run
LIMIT 100
