-- Which stills between two slots have counts, of every camera or of some, and whether they are faulty.
SELECT camera, slot, faulty
FROM counts
WHERE source = @source AND pipeline = @pipeline AND slot BETWEEN @first AND @last
  AND (@every_camera OR camera IN UNNEST(@cameras))
