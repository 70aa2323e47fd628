-- with fitting_events
-- Events by verdict; `open` are those of which nobody has said anything.
SELECT COALESCE(verdict, 'open') AS verdict, COUNT(*) AS events
FROM fitting_events
GROUP BY 1
ORDER BY 1
