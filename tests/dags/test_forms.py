"""What the trigger form changes lands at the right key, and is refused where the contract would."""

import importlib
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture
def forms(monkeypatch):
    monkeypatch.syspath_prepend(str(CHECKOUT / "dags"))
    yield importlib.import_module("yieldloop_dags.forms")
    for name in [name for name in sys.modules if name.split(".")[0] == "yieldloop_dags"]:
        sys.modules.pop(name)


def test_an_untouched_form_changes_nothing(forms):
    untouched = {name: param.value for name, param in forms.campaign_form().items()}
    assert forms.overrides(untouched) == {}


def test_every_field_overrides_a_key_that_the_contract_knows(forms):
    from hpc_jobs.contract.campaign import Campaign
    from hpc_jobs.contract.loading import load

    filled = {
        "train_records": 64,
        "test_records": 16,
        "seed": 5,
        "angles_deg": "0, 30",
        "end_displacement_mm": 0.8,
        "epochs": 3,
        "minimum_improvement": 0.1,
        "cpu_cluster": "hawk",
        "gpu_cluster": "vulcan",
        "overrides": {"training": {"batch_size": 16}},
    }
    assert set(filled) == set(forms.campaign_form()) - {"campaign"}
    campaign = load(
        Campaign, CHECKOUT / "dags/campaigns/single_sheet.yaml", forms.overrides(filled)
    )
    assert campaign.design.train_records == 64
    assert campaign.design.test_records == 16
    assert campaign.design.seed == 5
    assert campaign.specimens.angles_deg == (0, 30)
    assert campaign.specimens.end_displacement_mm == 0.8
    assert campaign.training.epochs == 3
    assert campaign.training.batch_size == 16
    assert campaign.gate.minimum_improvement == 0.1
    assert (campaign.execution.cpu_cluster, campaign.execution.gpu_cluster) == ("hawk", "vulcan")


@pytest.mark.parametrize("angles", ["0, 45, 90", "0,45,90", " 0 ,45.0, 90 "])
def test_angles_are_written_as_people_write_them(forms, angles):
    form = forms.campaign_form()
    value = form["angles_deg"].resolve(value=angles)
    assert forms.overrides({"angles_deg": value}) == {"specimens": {"angles_deg": [0, 45, 90]}}


def test_an_emptied_field_changes_nothing(forms):
    """A browser sends an emptied text field as an empty text."""
    emptied = {"angles_deg": "", "run": "", "overrides": None, "train_records": None}
    form = forms.campaign_form() | forms.run_field()
    assert forms.overrides({name: form[name].resolve(value=v) for name, v in emptied.items()}) == {}


def test_a_key_in_a_field_and_among_the_overrides_is_refused(forms):
    from hpc_jobs.contract.errors import ConfigurationError

    both = {"train_records": 64, "overrides": {"design": {"train_records": 640}}}
    words = "design.train_records is given twice: 64 under 'Training records', and 640 among"
    with pytest.raises(ConfigurationError, match=words):
        forms.overrides(both)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"end_displacement_mm": 50}, "end_displacement_mm is 50.* necked; give 15"),
        ({"overrides": {"training": {"learning_rate": 100}}}, "learning_rate is 100.*1e-4 to 1e-2"),
        ({"overrides": {"noise": {"strain": 1.0}}}, "noise.strain is 1.0"),
    ],
)
def test_absurd_values_reach_the_contract_which_refuses_them(forms, params, words):
    from hpc_jobs.contract.campaign import Campaign
    from hpc_jobs.contract.errors import ConfigurationError
    from hpc_jobs.contract.loading import load

    with pytest.raises(ConfigurationError, match=words):
        load(Campaign, CHECKOUT / "dags/campaigns/single_sheet.yaml", forms.overrides(params))


def test_a_field_tells_what_the_files_say(forms):
    form = forms.campaign_form()
    assert "demo: 4500" in form["train_records"].schema["description_md"]
    assert "demo: 0, 45, 90" in form["angles_deg"].schema["description_md"]


def test_a_number_that_is_too_small_reaches_the_contract_which_refuses_it(forms):
    """A browser raises a number below a field's minimum to it, and says nothing."""
    from hpc_jobs.contract.campaign import Campaign
    from hpc_jobs.contract.errors import ConfigurationError
    from hpc_jobs.contract.loading import load

    changed = forms.overrides({"train_records": forms.campaign_form()["train_records"].resolve(2)})
    with pytest.raises(ConfigurationError, match="train_records"):
        load(Campaign, CHECKOUT / "dags/campaigns/single_sheet.yaml", changed)


def test_the_form_of_a_search_overrides_its_section(forms):
    from hpc_jobs.contract.campaign import Campaign
    from hpc_jobs.contract.loading import load

    untouched = {name: param.value for name, param in forms.search_form().items()}
    assert forms.search_overrides(untouched) == {}
    filled = forms.search_overrides({"campaign": "demo", "trials": 7, "workers": 3})
    assert set(filled) == set(forms.search_form()) - {"campaign", "run"}
    campaign = load(Campaign, CHECKOUT / "dags/campaigns/single_sheet.yaml", {"search": filled})
    assert (campaign.search.trials, campaign.search.workers) == (7, 3)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("train_records", 0),
        ("angles_deg", "0 45 90"),
        ("cpu_cluster", "unheard-of"),
        ("end_displacement_mm", -1),
        ("epochs", 1.5),
        ("campaign", "unheard-of"),
        ("minimum_improvement", 1),
    ],
)
def test_the_form_refuses_values_beyond_the_limits(forms, field, value):
    from airflow.sdk.exceptions import ParamValidationError

    param = forms.campaign_form()[field]
    with pytest.raises(ParamValidationError):
        param.resolve(value=value)
