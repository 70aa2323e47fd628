-- What became of each camera of a source at each slot between two: the frame that was fetched and the counts that a
-- pipeline made of it. `state` is counted, faulty, missing, failed or waiting (fetched, not yet analysed); a slot
-- without a row was not run.
SELECT
  source,
  camera,
  slot,
  c.pipeline,
  CASE
    WHEN f.status = 'failed' AND COALESCE(c.missing, TRUE) THEN 'failed'
    WHEN COALESCE(c.missing, f.status = 'missing') THEN 'missing'
    WHEN c.faulty THEN 'faulty'
    WHEN c.camera IS NULL THEN 'waiting'
    ELSE 'counted'
  END AS state,
  CASE WHEN c.faulty THEN c.reason ELSE COALESCE(f.reason, c.reason) END AS reason,
  f.http_status,
  f.width,
  f.height,
  f.captured_at,
  f.fetched_at,
  c.bus,
  c.car,
  c.cyclist,
  c.motorcyclist,
  c.person,
  c.truck,
  c.van
FROM (
  SELECT * FROM frames WHERE source = @source AND slot BETWEEN @first AND @last
) AS f
FULL JOIN (
  SELECT * FROM counts WHERE source = @source AND pipeline = @pipeline AND slot BETWEEN @first AND @last
) AS c
  USING (source, camera, slot)
