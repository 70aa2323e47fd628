-- The listed cameras of a source.
SELECT camera, name
FROM cameras
WHERE source = @source
ORDER BY camera
