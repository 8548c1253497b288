"""From nothing to a prediction: one page, typed into a Debian system that has Python and no network."""

from support.machine.bare_system import debian
from support.pages.kit_journey import leads_to_a_prediction


def test_the_page_leads_from_nothing_to_a_prediction_without_a_network(tmp_path, require_tool):
    # Its Python is the one that the page names.
    with debian(tmp_path / "bare", "bookworm", require_tool) as system:
        leads_to_a_prediction(system, tmp_path)
