-- with outcomes
-- The outcome of every camera and slot of a day, state and reason in one word each, joined by a space. A picture that
-- was counted and had come more than ten minutes after its slot was over is `late`.
SELECT
  camera,
  slot,
  CASE
    WHEN state = 'counted' AND fetched_at > TIMESTAMP_ADD(slot, INTERVAL 20 MINUTE) THEN 'late'
    ELSE state
  END || ' ' || COALESCE(reason, '') AS outcome
FROM outcomes
