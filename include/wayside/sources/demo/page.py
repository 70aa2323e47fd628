"""The demo city's own page: what it serves, who misbehaves today, and what some cameras see right now."""

from __future__ import annotations

from datetime import datetime
from html import escape

from wayside.sources.demo.city import DemoCity
from wayside.sources.demo.trouble import KINDS

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 74rem; padding: 0 1rem; color: #222; }
.views { display: grid; grid-template-columns: repeat(auto-fill, minmax(17rem, 1fr)); gap: 1rem; }
figure { margin: 0; } img { width: 100%; aspect-ratio: 11/9; object-fit: cover; background: #888; border-radius: 4px; }
figcaption, td, th { font-size: 13px; } table { border-collapse: collapse; } td, th { padding: .2rem .8rem .2rem 0;
text-align: left; } code { background: #f0f0f0; padding: 0 .25em; border-radius: 3px; }
"""


def status_page(city: DemoCity, now: datetime) -> str:
    """The page as HTML."""
    views = "".join(
        f'<figure><a href="/truth/{escape(camera.id)}"><img src="/jamcams/{escape(camera.id)}.jpg" alt=""></a>'
        f"<figcaption>{escape(camera.id)} {escape(camera.name)}</figcaption></figure>"
        for camera in (city.tfl(index) for index in range(min(12, city.tfl_cameras)))
    )
    rows = "".join(
        f"<tr><td><code>{escape(fault.camera_id)}</code></td><td>{escape(fault.kind)}</td><td>{escape(fault.about)}</td>"
        f"<td>{'now' if fault.active(now) else ''}</td></tr>"
        for fault in city.faults()
    )
    links = " ".join(f'<a href="/faults/{kind}.jpg">{kind}</a>' for kind in KINDS)
    return (
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>Demo city</title><style>{_STYLE}</style>"
        f"<h1>The demo city</h1><p>{now:%A %d %B %Y, %H:%M:%S} UTC. Seed {city.seed}; {city.tfl_cameras} cameras at "
        '<a href="/Place/Type/JamCam">/Place/Type/JamCam</a>, '
        f'{city.uo_cameras} views at <a href="/api/v2/sensors/entity/">/api/v2/sensors/entity/</a>. '
        "A picture leads to the truth about it.</p>"
        f"<div class='views'>{views}</div><h2>Cameras that misbehave</h2><table><tr><th>camera<th>fault<th>what it does"
        f"<th></tr>{rows}</table><h2>Ways to fail, for tests</h2><p>{links}</p></html>"
    )
