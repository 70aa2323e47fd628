-- The sources whose cameras are listed.
SELECT source, COUNT(*) AS cameras
FROM cameras
GROUP BY source
ORDER BY source
