-- The detections of some cameras at some slots, best score first.
SELECT camera, slot, ordinal, label, score, x1, y1, x2, y2, static, moving_share, model
FROM detections
WHERE source = $source AND slot = ANY($slots) AND camera = ANY($cameras)
ORDER BY camera, slot, ordinal
