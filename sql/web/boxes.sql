-- The detections of some cameras at some slots between `@first` and `@last`, best score first.
SELECT camera, slot, ordinal, label, score, x1, y1, x2, y2, static, moving_share, model
FROM detections
WHERE
  source = @source
  AND pipeline = @pipeline
  AND slot BETWEEN @first AND @last
  AND slot IN UNNEST(@slots)
  AND camera IN UNNEST(@cameras)
ORDER BY camera, slot, ordinal
