"""Day-2 commands of an environment."""

from __future__ import annotations

import signal
import sys

import typer

from ops import access, changed_stacks, config, new_environment, preview_report, ready, recover, seal, sweep

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None, help=__doc__
)
app.add_typer(access.app, name="access")
app.add_typer(config.app, name="config")
app.command()(recover.recover)
app.command()(ready.ready)
app.command()(seal.seal)
app.command()(new_environment.new_environment)
app.command()(preview_report.preview_report)
app.command()(changed_stacks.changed_stacks)
app.command()(sweep.sweep_records)


if __name__ == "__main__":
    # As Ctrl-C does: what is half done is cleaned up, temporary files with tokens before all.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    app(prog_name="python -m ops")
