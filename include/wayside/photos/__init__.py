"""The road-photo product: batches of pictures, anonymised, recorded, previewed, archived and registered."""
