-- How many runs are at work, and not silent since a moment, that look at slots between two.
SELECT COUNT(*) AS runs
FROM runs
WHERE source = @source AND started_at >= TIMESTAMP '1970-01-01 00:00:00+00'
  AND state = 'running' AND updated_at > @since AND first <= @after AND last >= @before
