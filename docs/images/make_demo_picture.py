"""Makes `demo.svg`, the picture in the README, from a real run of the demo.

`.venv/bin/python docs/images/make_demo_picture.py`; `elec2.png` beside it is what
`streamfit demo --plot docs/images/elec2.png` draws.
"""  # noqa: INP001 - a script beside its picture, not a package

import io
import logging
from pathlib import Path

from rich.console import Console

from consumers.commands.demo_run import DemoRun
from consumers.connecting import open_runner
from consumers.demo.job import DemoOptions, demo_settings
from consumers.monitoring import monitoring
from consumers.views import logs
from consumers.views.live import Frame
from consumers.views.summary import summary_table

COLUMNS, LINES = 84, 23
# As rich's own, without the web font that it would load.
SVG = """\
<svg viewBox="0 0 {width} {height}" xml:space="preserve" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace;
  font-size: {char_height}px; line-height: {line_height}px; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def main() -> None:
    """Run the demo at its own pace, and draw what a terminal shows at its end."""
    logs.configure(logging.ERROR)
    options = DemoOptions(rate=5000, dirty=20)
    with demo_settings(()) as settings:
        run = DemoRun(settings, options, Console(file=io.StringIO()), keep=False)
        with (
            monitoring(settings, run.observers) as monitor,
            open_runner(settings, monitor.observer, 0.02) as runner,
            run.showing(runner, monitor.url),
        ):
            runner.run(monitor.beat)
            end = run.history.moment()
    console = Console(
        file=io.StringIO(), record=True, width=COLUMNS, height=LINES, force_terminal=True
    )
    console.print(Frame(end, options.total))
    console.print(summary_table(run.summary()))
    target = Path(__file__).with_name("demo.svg")
    console.save_svg(str(target), title="make demo", code_format=SVG, unique_id="demo")


if __name__ == "__main__":
    main()
