-- with events_of
-- From which zone to which: how many entered the second and had been in the first before; null where they came from
-- outside.
SELECT origin, zone AS destination, label, SUM(value) AS objects
FROM events_of
WHERE kind = 'enter'
GROUP BY origin, zone, label
ORDER BY origin, destination, label
