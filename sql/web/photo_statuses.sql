-- Pictures of an inbox by status, of a run or a folder where one is named, and with a text in their path.
SELECT status, COUNT(*) AS pictures
FROM road_photos
WHERE source = @source
  AND (@run IS NULL OR run = @run)
  AND (@folder IS NULL OR folder = @folder)
  AND (@text IS NULL OR STRPOS(LOWER(photo), @text) > 0)
GROUP BY status
ORDER BY status
