-- Every daily series of a source, class by class, oldest day first.
SELECT source, pipeline, series, day, original, sa, trend, imputed_share, cameras, outlier
FROM timeseries
WHERE source = @source AND pipeline = @pipeline
ORDER BY series, day
