-- One page of the files of an archive that a run saw last, by path; `place` counts from 1 over all that fit.
WITH fitting AS (
  SELECT
    file, status, reason, detail, alias_of, segment, bytes, camera, start_at, duration_s, events, updated_at,
    ROW_NUMBER() OVER (ORDER BY file) AS place
  FROM video_files
  WHERE source = @source
    AND run = @run
    AND (@status IS NULL OR status = @status)
    AND (@reason IS NULL OR reason = @reason)
)
SELECT *
FROM fitting
WHERE place > @skip AND place <= @until
ORDER BY place
