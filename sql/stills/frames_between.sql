-- Status, reason, hash and size of the frames between two slots, of every camera or of some.
SELECT camera, slot, status, reason, sha256, bytes
FROM frames
WHERE source = @source AND slot BETWEEN @first AND @last AND (@every_camera OR camera IN UNNEST(@cameras))
