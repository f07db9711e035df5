"""A campaign is accepted whole or refused with key, value and remedy."""

import re

import pytest
import yaml

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.cluster import Cluster
from hpc_jobs.contract.errors import ConfigurationError
from hpc_jobs.contract.loading import load, merge, parse


def test_every_shipped_campaign_is_valid_and_names_existing_clusters(campaigns, clusters):
    files = sorted(campaigns.glob("*.yaml"))
    assert {file.stem for file in files} >= {"demo", "hlrs", "single_sheet"}
    for file in files:
        campaign = load(Campaign, file)
        assert campaign.name == file.stem
        for name in (campaign.execution.cpu_cluster, campaign.execution.gpu_cluster):
            assert load(Cluster, clusters / f"{name}.yaml").name == name


def test_hlrs_has_the_size_of_the_case_study(campaigns):
    campaign = load(Campaign, campaigns / "hlrs.yaml")
    assert campaign.design.records == 4_941_258
    assert campaign.design.shards() == 343


def searching(space, **settings):
    return {"search": {"trials": 8, "epochs": 2, "space": space} | settings}


def test_demo_is_at_least_the_size_it_promises(campaigns):
    campaign = load(Campaign, campaigns / "demo.yaml")
    assert campaign.design.records >= 1000
    assert len(campaign.specimens.angles_deg) == 3
    assert campaign.specimens.mesh.elements >= 120
    assert campaign.specimens.strain_values == 1080
    assert campaign.specimens.force_values == 30


@pytest.mark.parametrize(
    ("overrides", "key", "value", "remedy"),
    [
        ({"desing": {}}, "desing", "{}", "did you mean 'design'"),
        (
            {"execution": {"resources": {"train": {"walltime_s": -5}}}},
            "execution.resources.train.walltime_s",
            "-5",
            "greater than 0",
        ),
        ({"specimens": {"angles_deg": [0, 400]}}, "specimens.angles_deg.1", "400", "at most 90"),
        (
            {"material": {"yield_function": "hil48"}},
            "material.yield_function",
            "hil48",
            "yld2000_2d",
        ),
        (
            {"material": {"yield_function": "hill48"}},
            "material: exponent",
            "is 6",
            "exponent: 2",
        ),
        (
            {"material": {"yield_function": "von_mises", "exponent": 2}},
            "material.yield_function",
            "von_mises",
            "choose hill48",
        ),
        ({"material": {"exponent": 21}}, "material.exponent", "21", "less than or equal to 20"),
        ({"material": {"exponent": 1.5}}, "material.exponent", "1.5", "greater than or equal to 2"),
        ({"targets": {"MP9": "alpha1"}}, "targets", "9 targets", "remove 1"),
        ({"targets": {"MP1": "alpha9"}}, "targets.MP1", "alpha9", "choose from alpha1"),
        ({"targets": {"MP1": "alpha2"}}, "targets", "missing", "alpha1"),
        ({"design": {"box": {"r_value_0": [2, 1]}}}, "r_value_0", "[2.0, 1.0]", "smaller one"),
        (
            {"training": {"networks": [{"kind": "multitask_cnn", "deep_heads": ["MP77"]}]}},
            "deep_heads",
            "MP77",
            "choose from the targets",
        ),
        (
            {"training": {"networks": [{"kind": "mlp", "components": 130}]}},
            "components of network 'mlp'",
            "130",
            "take 128 or fewer",
        ),
        (
            searching({"mlp": {"components": [8, 200]}}),
            "components of search.space.mlp",
            "200",
            "take 128 or fewer",
        ),
        ({"material": {"hardening": {"law": "steel"}}}, "material.hardening", "steel", "'swift'"),
        (
            {"material": {"hardening": {"rate": 0}}},
            "material.hardening.rate is 0",
            "0",
            "greater than 0",
        ),
        (
            {"specimens": {"geometries": [{"notch_width_mm": 25}]}},
            "specimens.geometries.0: notch_width_mm",
            "25",
            "smaller one",
        ),
        ({"solver": "abaqus"}, "solver", "abaqus", "choose auto, native"),
        ({"solver": "calculix"}, "solver", "calculix", "choose auto, native"),
        ({"noise": {"strain": float("nan")}}, "noise.strain", "nan", "finite number"),
        (
            searching({"mlp": {"chanels": [8, 16]}}),
            "search.space.mlp.chanels",
            "[8, 16]",
            "channels",
        ),
        (
            searching({"mlp": {"width": [64, 8]}}),
            "search.space.mlp.width",
            "[64, 8]",
            "lower bound",
        ),
        (
            searching({"mlp": {"weight_decay": [0, 1]}}),
            "search.space.mlp.weight_decay",
            "[0.0, 1.0]",
            "above 0",
        ),
        (
            searching({"multitask_cnn": {"components": [16, 600]}}),
            "search.space.multitask_cnn: components",
            "600",
            "less than or equal to 512",
        ),
        (
            searching({"mlp": {"components": [16, 200]}}),
            "search.space.mlp",
            "200",
            "128 or fewer",
        ),
        (
            searching({"mlp": {"width": [8, 64]}})
            | {"execution": {"resources": {"search": {"gpus": 4}}}},
            "execution.resources.search",
            "4 GPUs",
            "search.workers",
        ),
        (
            searching({"multitask_cnn": {"encoding": ["fields", "rows"]}}),
            "search.space.multitask_cnn.encoding.1",
            "'rows'",
            "'patches'",
        ),
        (
            searching({"mlp": {"batch_size": [32, 32]}}),
            "search.space.mlp.batch_size",
            "[32, 32]",
            "each once",
        ),
        (
            searching({"multitask_cnn": {"deep_heads": [[], ["MP77"]]}}),
            "search.space.multitask_cnn",
            "MP77",
            "choose from the targets",
        ),
        (
            searching({"mlp": {"width": [8, 64], "fixed": {"members": 3}}}),
            "fixed.members",
            "3",
            "leave it out",
        ),
        (searching({"mlp": None}), "search.space", "no kind", "give one of mlp"),
        (
            searching({"mlp": {"width": [8, 64]}}, workers=9),
            "search: workers",
            "9",
            "give at most that",
        ),
    ],
)
def test_a_wrong_campaign_is_refused(campaigns, overrides, key, value, remedy):
    with pytest.raises(ConfigurationError) as refusal:
        load(Campaign, campaigns / "single_sheet.yaml", overrides)
    message = str(refusal.value)
    assert key in message and value in message and remedy in message


def test_a_campaign_of_three_targets_takes_the_default_networks(campaigns):
    document = yaml.safe_load((campaigns / "single_sheet.yaml").read_text())
    document["material"]["yield_function"] = "barlat89"
    document["targets"] = {"MP1": "r0", "MP2": "r45", "MP3": "r90"}
    document["training"]["networks"] = [{"kind": "multitask_cnn"}]
    campaign = parse(Campaign, document, source="demo")
    assert Campaign.model_validate_json(campaign.model_dump_json()) == campaign


@pytest.mark.parametrize(
    ("strains", "stresses", "said"),
    [
        ([0, 0.1], [300, 350, 360], "2 values and stresses_mpa 3; give one"),
        ([0.01, 0.1], [300, 350], "begins at 0.01; begin at 0"),
        ([0, 0.1, 0.1], [300, 350, 360], "plastic_strains.2 is 0.1 after 0.1"),
        ([0, 0.1, 0.2], [300, 350, 340], "stresses_mpa.2 is 340 after 350; a softening"),
        ([0, float("nan")], [300, 350], "plastic_strains.1 is nan"),
        ([0, 0.1], [0, 350], "stresses_mpa.0 is 0: should be greater than 0"),
    ],
)
def test_a_table_that_is_no_hardening_curve_is_refused(campaigns, strains, stresses, said):
    table = {"law": "tabulated", "plastic_strains": strains, "stresses_mpa": stresses}
    document = yaml.safe_load((campaigns / "single_sheet.yaml").read_text())
    document["material"]["hardening"] = table
    with pytest.raises(ConfigurationError, match=re.escape(said)):
        parse(Campaign, document, source="demo")


@pytest.mark.parametrize("name", ["native", "my_lab.lsdyna", "my_lab.lsdyna:SOLVER"])
def test_a_solver_is_one_of_ours_or_yours(campaigns, name):
    assert load(Campaign, campaigns / "single_sheet.yaml", {"solver": name}).solver == name


def test_a_search_survives_its_json(campaigns):
    space = {"mlp": {"width": [8, 64], "depth": [1, 3], "fixed": {"dropout": 0.1}}}
    campaign = load(Campaign, campaigns / "single_sheet.yaml", searching(space))
    assert Campaign.model_validate_json(campaign.model_dump_json()) == campaign
    network = campaign.search.space.mlp.network({"width": 16, "depth": 2}, epochs=3)
    assert (network.hidden, network.dropout, network.epochs) == ((16, 16), 0.1, 3)


def test_the_documented_search_is_one(campaigns):
    page = campaigns.parents[1] / "docs" / "hyperparameter-search.md"
    [block] = re.findall(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL)
    search = load(Campaign, campaigns / "single_sheet.yaml", yaml.safe_load(block)).search
    assert search.space.mlp and search.space.multitask_cnn


def test_all_mistakes_are_named_at_once(campaigns):
    overrides = {"name": "Ä", "description": "", "surprise": 1}
    with pytest.raises(ConfigurationError) as refusal:
        load(Campaign, campaigns / "single_sheet.yaml", overrides)
    assert len(str(refusal.value).splitlines()) == 3


def test_a_missing_file_is_named_with_its_neighbours(campaigns):
    with pytest.raises(ConfigurationError, match=r"no such file.*demo"):
        load(Campaign, campaigns / "nightmare.yaml")


@pytest.mark.parametrize("text", ["- a list", "key: [unclosed", ""])
def test_rubbish_is_refused(tmp_path, text):
    file = tmp_path / "rubbish.yaml"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=r"rubbish\.yaml"):
        load(Campaign, file)


def test_overrides_merge_mappings_and_replace_the_rest():
    base = {"a": {"b": 1, "c": [1, 2]}, "d": 4}
    assert merge(base, {"a": {"c": [3]}, "d": {"e": 5}}) == {"a": {"b": 1, "c": [3]}, "d": {"e": 5}}


def test_the_fingerprint_follows_the_content(campaigns):
    demo = load(Campaign, campaigns / "single_sheet.yaml")
    same = Campaign.model_validate_json(demo.model_dump_json())
    other = load(Campaign, campaigns / "single_sheet.yaml", {"design": {"seed": 1}})
    assert demo.fingerprint == same.fingerprint != other.fingerprint


def test_the_epochs_that_are_planned_are_those_of_all_members(campaigns):
    networks = [
        {"name": "mlp", "kind": "mlp", "members": 3, "epochs": 40},
        {"name": "other", "kind": "mlp"},
    ]
    training = load(
        Campaign,
        campaigns / "single_sheet.yaml",
        {"training": {"networks": networks, "epochs": 25}},
    ).training
    assert training.planned_epochs == 3 * 40 + 25
