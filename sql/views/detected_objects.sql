-- The table that chrono_lens kept for a pipeline, with its columns and their meaning: a row for each camera and slot, all
-- counts there, 0 where a picture is faulty, missing, or of a class that the model does not know.
-- `date` is computed, and still selects partitions of `counts`: BigQuery sees through a view and through DATE() of the
-- column by which a table is partitioned by day, so `WHERE date = '2020-05-01'` reads one day, and a query without any
-- filter on `date` is refused, as it was of the table that this replaces.
SELECT
  source,
  camera AS camera_id,
  DATE(slot) AS date,
  TIME(DATETIME(slot)) AS time,
  COALESCE(bus, 0) AS bus,
  COALESCE(car, 0) AS car,
  COALESCE(cyclist, 0) AS cyclist,
  COALESCE(motorcyclist, 0) AS motorcyclist,
  COALESCE(person, 0) AS person,
  COALESCE(truck, 0) AS truck,
  COALESCE(van, 0) AS van,
  faulty,
  missing
FROM counts
WHERE pipeline = @pipeline
