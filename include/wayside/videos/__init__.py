"""The video-archive product: scan a place, keep a ledger, cut videos into events, label them, review, export."""
