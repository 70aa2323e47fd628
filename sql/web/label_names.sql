-- Labels of an archive in a span of hours, the most frequent first.
SELECT label, COUNT(DISTINCT event) AS events
FROM labels
WHERE source = @source AND hour >= @since AND hour < @stop
GROUP BY label
ORDER BY events DESC, label
LIMIT 300
