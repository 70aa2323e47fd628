-- The daily series of one class of a source, oldest day first.
SELECT day, original, sa, trend, imputed_share, cameras, outlier
FROM timeseries
WHERE source = @source AND pipeline = @pipeline AND series = @series
ORDER BY day
