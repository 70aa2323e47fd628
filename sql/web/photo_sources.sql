-- The inboxes of road photos: pictures by status, and what worked on each last.
SELECT
  source,
  COUNT(*) AS pictures,
  COUNTIF(status = 'done') AS done,
  COUNTIF(status = 'held') AS held,
  COUNTIF(status = 'skipped') AS skipped,
  COUNTIF(status = 'failed') AS failed,
  MAX_BY(run, processed_at) AS run,
  MAX(processed_at) AS processed_at
FROM road_photos
GROUP BY source
ORDER BY source
