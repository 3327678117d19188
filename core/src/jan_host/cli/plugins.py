"""``jan-host plugins``: what is installed, and what is broken and why."""

import click

from jan_host.cli.output import say, say_table
from jan_host.cli.session import Session, shared_options
from jan_host.contract.plugin import PluginReport


@click.command()
@click.option("--check", is_flag=True, help="Exit with 1 when a plugin is broken.")
@shared_options
@click.pass_obj
def plugins(session: Session, check: bool) -> int:
    """Show what is installed, and what is broken and why."""
    reports = session.plugins().reports()
    rows = [
        (report.name, f"{report.distribution} {report.version}", report.status, _offers(report))
        for report in reports
    ]
    say_table(("PLUGIN", "DISTRIBUTION", "STATUS", "OFFERS"), rows)
    broken = [report for report in reports if report.problem]
    for report in broken:
        say(f"\n{report.name}: {report.problem}")
        if report.cure:
            say(f"  {report.cure}")
    return 1 if check and any(report.status == "broken" for report in broken) else 0


def _offers(report: PluginReport) -> str:
    offered = {
        "engine": report.engines,
        "importer": report.importers,
        "extra": report.extras,
        "command": report.commands,
    }
    return ", ".join(f"{kind} {name}" for kind, names in offered.items() for name in names)
