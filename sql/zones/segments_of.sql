-- The segments of one camera from an hour on.
SELECT segment, uri, start_at, end_at, bytes
FROM segments
WHERE source = @source AND camera = @camera AND hour >= @first
ORDER BY start_at, segment
