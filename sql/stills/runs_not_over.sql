-- The runs of all sources that are at work, or failed since a moment and may be taken up again.
SELECT run, source
FROM runs
WHERE started_at >= TIMESTAMP '1970-01-01 00:00:00+00' AND state IN ('running', 'failed') AND updated_at > @since
