-- The cameras that have counts since a moment, other than of pictures that were missing.
SELECT DISTINCT camera
FROM counts
WHERE source = @source AND NOT missing AND slot >= @since
