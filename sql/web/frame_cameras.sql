-- The cameras that have a frame at a slot, in the order in which shards are cut.
SELECT camera
FROM frames
WHERE source = @source AND slot = @slot
ORDER BY camera
