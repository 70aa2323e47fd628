-- Events of an archive that begin in a span of time, with what a person said of each.
SELECT
  e.source, e.camera, e.hour, e.event, e.segment, e.start_at, e.end_at, e.score, e.cover, e.colours, e.direction,
  e.state, e.reason, e.labeller, r.verdict, r.labels AS given, r.author, r.reviewed_at
FROM video_events AS e
LEFT JOIN (
  SELECT camera, hour, event, verdict, labels, author, reviewed_at
  FROM event_reviews
  WHERE source = @source AND hour >= @since AND hour < @stop
) AS r
  ON r.camera = e.camera AND r.hour = e.hour AND r.event = e.event
WHERE e.source = @source AND e.hour >= @since AND e.hour < @stop AND e.start_at >= @first AND e.start_at < @stop
