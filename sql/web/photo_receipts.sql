-- How many receipts each inbox has, and on which days. The first day is named because partitions have to be.
SELECT source, COUNT(*) AS receipts, MIN(day) AS first_day, MAX(day) AS last_day
FROM receipts
WHERE day >= @first_day
GROUP BY source
ORDER BY source
