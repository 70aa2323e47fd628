-- The segments of some cameras from an hour on.
SELECT camera, segment, uri, start_at, end_at
FROM segments
WHERE source = @source AND hour >= @first AND camera IN UNNEST(@cameras)
ORDER BY camera, start_at, segment
