-- with outcomes
-- The outcome of every camera and slot of a day, state and reason in one word each, joined by a space.
SELECT camera, slot, state || ' ' || COALESCE(reason, '') AS outcome
FROM outcomes
