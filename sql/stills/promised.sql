-- The days whose pictures were to be deleted by a run that has not said that they were.
SELECT day
FROM expiries
WHERE source = @source AND action = 'would_delete' AND day >= DATE '1970-01-01'
