-- What the source says about one camera.
SELECT camera, name, lat, lon, view, attribution
FROM cameras
WHERE source = @source AND camera = @camera
