-- The segments of a camera, of days from the first to the last, that a pipeline has not looked at with these weights. A
-- scan by older weights that was kept, as the video could not be read again, is not asked for again; without a hash of
-- weights all segments are told.
SELECT
  segments.source, segments.camera, segments.hour, segments.segment, segments.uri, segments.start_at,
  segments.duration_s, segments.bytes
FROM segments
LEFT JOIN scans
  ON scans.segment = segments.segment
  AND scans.hour = segments.hour
  AND scans.source = @source
  AND scans.camera = @camera
  AND scans.pipeline = @pipeline
  AND (
    scans.model_sha256 = @model_sha256
    OR (@model_sha256 != '' AND STARTS_WITH(COALESCE(scans.reason, ''), 'kept_'))
  )
  AND scans.hour >= TIMESTAMP(@first_day)
  AND scans.hour < TIMESTAMP_ADD(TIMESTAMP(@last_day), INTERVAL 1 DAY)
WHERE segments.source = @source AND segments.camera = @camera
  AND segments.hour >= TIMESTAMP(@first_day)
  AND segments.hour < TIMESTAMP_ADD(TIMESTAMP(@last_day), INTERVAL 1 DAY)
  AND scans.segment IS NULL
ORDER BY segments.start_at, segments.segment
