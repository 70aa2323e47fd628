#!/usr/bin/env python
# ruff: noqa: C408, PTH118, PTH119, PTH123, UP024, UP031
"""A hook as they were written for the video importer: module globals, a logger from `set_hook_data`, a box in the
house that takes the videos. The box is a folder here, and what was said to the hook lies beside it."""

import hashlib
import json
import os
import shutil
import sys

PARAMS = {}
Log = None


def fail(msg):
    Log.error(msg)
    sys.exit(1)


def said(function, *what):
    with open(os.path.join(PARAMS["box"], "said.jsonl"), "a") as fh:
        fh.write(json.dumps([function, *what]) + "\n")


def set_hook_data(data_dict):
    global Log
    PARAMS.update(data_dict)
    Log = PARAMS["logger"]
    Log.debug("setting hook data: %r", data_dict)
    said("set_hook_data", sorted(data_dict), len(data_dict.get("registered_cameras", [])))


def register_camera(camera_name, host=None, port=None):
    if camera_name == PARAMS.get("forbidden"):
        fail("the box does not know %s" % camera_name)
    said("register_camera", camera_name, host, port)
    local_id = hashlib.sha1(camera_name.encode()).hexdigest()
    if camera_name == PARAMS.get("nameless"):
        return dict(name=camera_name)
    return dict(camera_id="user:MAC:%s" % local_id, name=camera_name)


def post_video_content(camera_name, camera_id, filepath, timestamp, location=None, host=None, port=None):
    said("post_video_content", camera_name, camera_id, os.path.basename(filepath), timestamp, location, host, port)
    with open(filepath, "rb") as fh:
        content = fh.read()
    if content == b"refused":
        return False
    if content == b"broken":
        raise IOError("the box hung up")
    shutil.copy(filepath, os.path.join(PARAMS["box"], hashlib.sha1(content).hexdigest()))
    Log.info("posted %s", filepath)
    return True


def assign_job_ids(importer, db, unscheduled):
    if PARAMS.get("no_jobs"):
        raise KeyError("job_id")
    said("assign_job_ids", sorted(params["key"] for params in unscheduled), sorted(importer.cameras))
    for k, params in enumerate(unscheduled):
        params["job_id"] = "job-1"
        params["shard_id"] = "shard_%03d" % (k // 2)
        params["upload_url"] = "http://box/%s" % params["shard_id"]
        db[params["key"]] = params
        db.sync()
    return "job-1"


def register_jobs(importer, db, jobs):
    for job_id, shard_id in sorted(jobs):
        rows = [params for params in db.values() if (params["job_id"], params["shard_id"]) == (job_id, shard_id)]
        hash_map = {p["key"]: dict(original_filename=p["filename"], size_MB=p["size"] / 1e6) for p in rows}
        said("register_jobs", job_id, shard_id, len(rows), sorted(hash_map))
    return not PARAMS.get("jobs_refused")
