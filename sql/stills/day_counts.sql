-- The counts of every still between two moments, null where it could not be counted: its camera, its day counted from a
-- first one, and its step of ten minutes within the day.
SELECT
  camera,
  DATE_DIFF(DATE(slot), @first_day, DAY) AS day,
  EXTRACT(HOUR FROM slot) * 6 + DIV(EXTRACT(MINUTE FROM slot), 10) AS step,
  CASE WHEN faulty OR missing THEN NULL ELSE CAST(bus AS FLOAT64) END AS bus,
  CASE WHEN faulty OR missing THEN NULL ELSE CAST(car AS FLOAT64) END AS car,
  CASE WHEN faulty OR missing THEN NULL ELSE CAST(cyclist AS FLOAT64) END AS cyclist,
  CASE WHEN faulty OR missing THEN NULL ELSE CAST(motorcyclist AS FLOAT64) END AS motorcyclist,
  CASE WHEN faulty OR missing THEN NULL ELSE CAST(person AS FLOAT64) END AS person,
  CASE WHEN faulty OR missing THEN NULL ELSE CAST(truck AS FLOAT64) END AS truck,
  CASE WHEN faulty OR missing THEN NULL ELSE CAST(van AS FLOAT64) END AS van
FROM counts
WHERE source = @source AND pipeline = @pipeline AND slot >= @start AND slot < @stop
