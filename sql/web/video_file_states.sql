-- The files of an archive that a run saw last, by what became of them and why.
SELECT status, reason, COUNT(*) AS files, SUM(bytes) AS bytes, SUM(events) AS events
FROM video_files
WHERE source = @source AND run = @run
GROUP BY status, reason
ORDER BY status, files DESC, reason
