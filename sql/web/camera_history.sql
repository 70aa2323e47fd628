-- with outcomes
-- The outcomes of one camera between two slots, newest first.
SELECT *
FROM outcomes
WHERE camera = @camera
ORDER BY slot DESC
