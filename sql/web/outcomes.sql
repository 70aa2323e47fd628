-- What became of each camera at each slot: the frame that was fetched and the counts that were made of it.
-- `state` is counted, faulty, missing, failed or waiting (fetched, not yet analysed); a slot without a row was not run.
SELECT
  source,
  camera,
  slot,
  counts.pipeline,
  CASE
    WHEN frames.status = 'failed' AND COALESCE(counts.missing, TRUE) THEN 'failed'
    WHEN COALESCE(counts.missing, frames.status = 'missing') THEN 'missing'
    WHEN counts.faulty THEN 'faulty'
    WHEN counts.camera IS NULL THEN 'waiting'
    ELSE 'counted'
  END AS state,
  CASE WHEN counts.faulty THEN counts.reason ELSE COALESCE(frames.reason, counts.reason) END AS reason,
  frames.http_status,
  frames.width,
  frames.height,
  frames.captured_at,
  frames.fetched_at,
  counts.bus,
  counts.car,
  counts.cyclist,
  counts.motorcyclist,
  counts.person,
  counts.truck,
  counts.van
FROM frames
FULL JOIN counts USING (source, camera, slot)
