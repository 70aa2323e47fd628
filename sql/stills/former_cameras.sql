-- The cameras that have vanished from the list of a source at some time. The day is named for the sake of the partitions.
SELECT DISTINCT camera
FROM camera_changes
WHERE source = @source AND change = 'vanished' AND day >= DATE '1970-01-01'
