-- with fitting_events
-- The events of a page in their order, to step from one to the next.
SELECT event, camera, hour, start_at, COALESCE(verdict, 'open') AS verdict
FROM fitting_events
ORDER BY start_at, camera, event
