-- The folders of an inbox, each with the first of its pictures, which has the folder's path.
SELECT folder, COUNT(*) AS pictures, COUNTIF(status = 'failed') AS failed, MIN(photo) AS photo
FROM road_photos
WHERE source = @source
GROUP BY folder
ORDER BY photo
LIMIT 1000
