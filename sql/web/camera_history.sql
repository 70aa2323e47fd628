-- The outcomes of one camera between two slots, newest first.
SELECT *
FROM outcomes
WHERE source = $source AND camera = $camera AND slot BETWEEN $first AND $last
ORDER BY slot DESC
