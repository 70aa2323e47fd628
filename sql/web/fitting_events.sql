-- with reviewed_events
-- Those of them that fit the filters of a page. What a person says an event shows counts more than what a machine says.
SELECT e.*
FROM reviewed_events AS e
WHERE (@camera IS NULL OR e.camera = @camera)
  AND (@state IS NULL OR e.state = @state)
  AND (
    @label IS NULL
    OR (e.given IS NOT NULL AND STRPOS(e.given, @quoted) > 0)
    OR (
      e.given IS NULL
      AND e.event IN (
        SELECT event FROM labels WHERE source = @source AND hour >= @since AND hour < @stop AND label = @label
      )
    )
  )
