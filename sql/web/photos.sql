-- One page of the pictures of an inbox, by path; `place` counts from 1 over all that fit.
WITH fitting AS (
  SELECT
    photo, status, reason, detail, objects, hidden_share, mode, mode_reason, width, height, input_sha256,
    output_sha256, output_bytes, output_uri, run, profile, processed_at,
    ROW_NUMBER() OVER (ORDER BY photo) AS place
  FROM road_photos
  WHERE source = @source
    AND (@status IS NULL OR status = @status)
    AND (@run IS NULL OR run = @run)
    AND (@folder IS NULL OR folder = @folder)
    AND (@text IS NULL OR STRPOS(LOWER(photo), @text) > 0)
)
SELECT *
FROM fitting
WHERE place > @skip AND place <= @until
ORDER BY place
