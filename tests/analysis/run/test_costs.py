"""What the last epoch took, on the page of a run."""

from __future__ import annotations

from typing import Any

from analysis.run.costs import at_stop as told, costs


def test_the_page_of_a_run_tells_of_readings_at_the_stop():
    counted = {"adc": 100, "adc_transposed": 40, "adc_transposed_at_stop": 10}
    record = {"epoch": 1, "updates": 10, "counters": counted, "evaluate": {}}
    assert "ADC, transposed 25.00 %" in told(costs([record]))
    assert "at full scale" in told(costs([record]))
    assert "at full scale" not in told(costs([record | {"counters": {"adc": 100}}]))


def test_what_was_not_counted_is_not_drawn() -> None:
    split = {"samples": 4, "counters": {"adc": 8}}
    record: dict[str, Any] = {"epoch": 1, "updates": 10, "counters": {"adc": 0}, "evaluate": {"test": split}}
    (found,) = costs([record])
    assert (found.per, found.counted) == ("inference", {"adc": 2})
    assert costs([]) == []
