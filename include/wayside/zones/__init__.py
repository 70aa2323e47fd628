"""The zone product: cameras with processors, zones drawn on their pictures, counts of segments, answers by HTTP."""
