-- The cameras that have a frame between two slots.
SELECT DISTINCT camera
FROM frames
WHERE source = @source AND slot BETWEEN @first AND @last
