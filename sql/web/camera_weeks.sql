-- How many slots of each camera ended in which state, day by day.
SELECT camera, day, counted, faulty, missing, failed, waiting, not_run, late
FROM camera_days
WHERE source = @source AND pipeline = @pipeline AND day BETWEEN @first AND @last
