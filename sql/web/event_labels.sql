-- What machines say some events show: each label with its best probability and the pictures that bear it.
SELECT event, label, MAX(probability) AS probability, COUNT(DISTINCT image_at) AS images
FROM labels
WHERE source = @source AND hour >= @since AND hour < @stop AND event IN UNNEST(@events)
GROUP BY event, label
ORDER BY event, images DESC, probability DESC, label
