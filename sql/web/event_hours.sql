-- with fitting_events
-- Events by camera and UTC hour of the day, and how many of them nobody has looked at.
SELECT camera, EXTRACT(HOUR FROM start_at) AS hour_of_day, COUNT(*) AS events, COUNTIF(verdict IS NULL) AS open
FROM fitting_events
GROUP BY 1, 2
ORDER BY 1, 2
