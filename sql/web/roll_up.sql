-- with outcomes
-- How many slots of each camera ended in which state between two slots, and how many pictures came more than ten
-- minutes after their slot was over.
SELECT
  camera,
  COUNT(*) AS slots,
  SUM(CASE WHEN state = 'counted' THEN 1 ELSE 0 END) AS counted,
  SUM(CASE WHEN state = 'faulty' THEN 1 ELSE 0 END) AS faulty,
  SUM(CASE WHEN state = 'missing' THEN 1 ELSE 0 END) AS missing,
  SUM(CASE WHEN state = 'failed' THEN 1 ELSE 0 END) AS failed,
  SUM(CASE WHEN state = 'waiting' THEN 1 ELSE 0 END) AS waiting,
  SUM(
    CASE
      WHEN state IN ('counted', 'faulty', 'waiting') AND fetched_at > TIMESTAMP_ADD(slot, INTERVAL 20 MINUTE) THEN 1
      ELSE 0
    END
  ) AS late
FROM outcomes
GROUP BY camera
ORDER BY camera
