"""What a road photo says about itself: EXIF, the road authority's XML, path and file-name rules, as one record."""
