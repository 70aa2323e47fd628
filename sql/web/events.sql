-- with fitting_events
-- One page of events, oldest first; `place` counts from 1 over all that fit.
WITH placed AS (
  SELECT e.*, ROW_NUMBER() OVER (ORDER BY start_at, camera, event) AS place
  FROM fitting_events AS e
  WHERE @verdict IS NULL OR COALESCE(verdict, 'open') = @verdict
)
SELECT *
FROM placed
WHERE place > @skip AND place <= @until
ORDER BY place
