-- The camera and hour under which an event of an archive is published.
SELECT camera, hour
FROM video_events
WHERE source = @source AND event = @event AND hour >= @since
ORDER BY hour, camera
LIMIT 1
