-- What is to become of each picture of a source between two slots. `pictures` is what lies in the store. A picture may
-- go once some pipeline looked at it and the slots on both sides, where its camera has frames, are done with it as well;
-- so is a slot whose own picture was gone before anybody looked at it.
WITH looked AS (
  SELECT
    camera,
    slot,
    MAX(CASE WHEN missing THEN 0 ELSE 1 END) AS seen,
    MAX(CASE WHEN reason = 'expired' THEN 1 ELSE 0 END) AS gone
  FROM counts
  WHERE
    source = @source
    AND slot BETWEEN TIMESTAMP_SUB(@first, INTERVAL 10 MINUTE) AND TIMESTAMP_ADD(@last, INTERVAL 10 MINUTE)
  GROUP BY camera, slot
),
known AS (
  SELECT
    f.camera,
    f.slot,
    f.status,
    COALESCE(l.seen, 0) AS seen,
    CASE WHEN l.seen = 1 OR l.gone = 1 OR (l.seen = 0 AND f.status <> 'ok') THEN 0 ELSE 1 END AS waits
  FROM frames AS f
  LEFT JOIN looked AS l USING (camera, slot)
  WHERE
    f.source = @source
    AND f.slot BETWEEN TIMESTAMP_SUB(@first, INTERVAL 10 MINUTE) AND TIMESTAMP_ADD(@last, INTERVAL 10 MINUTE)
)
SELECT
  p.key,
  p.bytes,
  CASE
    WHEN k.status IS NULL OR k.status <> 'ok' THEN 'no_frame'
    WHEN k.seen = 0 THEN 'not_analysed'
    WHEN COALESCE(before.waits, 0) = 1 OR COALESCE(after.waits, 0) = 1 THEN 'neighbour_waits'
    ELSE 'go'
  END AS verdict
FROM pictures AS p
LEFT JOIN known AS k
  ON k.camera = p.camera AND k.slot = p.slot
LEFT JOIN known AS before
  ON before.camera = p.camera AND before.slot = TIMESTAMP_SUB(p.slot, INTERVAL 10 MINUTE)
LEFT JOIN known AS after
  ON after.camera = p.camera AND after.slot = TIMESTAMP_ADD(p.slot, INTERVAL 10 MINUTE)
ORDER BY p.key
