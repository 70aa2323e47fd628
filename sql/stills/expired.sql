-- How many pictures of a source between two slots were fetched and are no longer in the store, which is `pictures`.
SELECT COUNT(*) AS pictures, CAST(COALESCE(SUM(f.bytes), 0) AS INT64) AS bytes
FROM frames AS f
LEFT JOIN pictures AS p
  ON p.camera = f.camera AND p.slot = f.slot
WHERE f.source = @source AND f.slot BETWEEN @first AND @last AND f.status = 'ok' AND p.key IS NULL
