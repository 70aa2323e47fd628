-- The sources whose cameras are listed, and the credit that each asks for.
SELECT source, COUNT(*) AS cameras, MAX(attribution) AS attribution
FROM cameras
GROUP BY source
ORDER BY source
