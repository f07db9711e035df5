"""Say which finalist of a hyper-parameter search beats the present network, and draw it."""

from hpc_jobs.contract.facts import ChoiceFacts
from hpc_jobs.contract.records import publish_model, read_model
from hpc_jobs.contract.study import Finalists
from hpc_jobs.figure_style import in_style, publish_page
from hpc_jobs.learning.search.figures import front_figure, seeds_figure
from hpc_jobs.learning.search.final import choose, read_results
from hpc_jobs.runtime import element
from hpc_jobs.runtime.element import Element
from hpc_jobs.runtime.search_folder import arguments, folder_of


def work(element: Element) -> ChoiceFacts:
    """Compare, draw, and publish choice.json last."""
    folder = folder_of(element)
    finalists = read_model(Finalists, folder.finalists)
    choice = choose(element.arguments.name, finalists, read_results(folder, finalists))
    with in_style():
        publish_page(folder.figure("front"), front_figure(finalists, choice))
        publish_page(folder.figure("seeds"), seeds_figure(choice))
    publish_model(folder.choice, choice)
    return ChoiceFacts(recommended=choice.recommended, present=choice.present, trials=choice.trials)


if __name__ == "__main__":
    element.main(work, arguments)
