import numpy as np
import sagan_pictures as pictures


def test_figures_are_saved(tmp_path):
    rng = np.random.default_rng(0)
    images, scores = rng.uniform(-1, 1, (3, 8, 8, 3)), np.zeros((3, 16, 4))
    # Query i attends to key i // 4 alone, on grids of 4 x 4 queries and 2 x 2 keys.
    scores[:, np.arange(16), np.arange(16) // 4] = 1
    table = {0: {"FID": 90.0, "KID": 0.5}, 5: {"FID": 20.0, "KID": 0.1}}
    worse = {update: {"FID": 2 * row["FID"], "KID": row["KID"]} for update, row in table.items()}
    figures = {
        "attention": pictures.plot_attention(images, scores, "title"),
        "progress": pictures.plot_progress({"with": [table, worse], "without": [table]}, ("FID", "KID"), "title"),
    }
    for name, figure in figures.items():
        figure.savefig(tmp_path / f"{name}.png")
        assert (tmp_path / f"{name}.png").stat().st_size > 2_000
    panels = np.array(figures["attention"].axes).reshape(3, 6)
    for row in panels:
        # The points lie in rows 2, 1, 3, 2, 2 of the four.
        assert [axes.images[1].get_array().argmax() for axes in row[1:]] == [2, 1, 3, 2, 2]
        assert [len(axes.lines) for axes in row] == [5, 1, 1, 1, 1, 1]
    [fid, kid] = figures["progress"].axes
    labels = [label.get_text() for label in fid.get_yticklabels()]
    assert {"20", "50", "100"} <= {*labels} and fid.get_yscale() == "log" and kid.get_yscale() == "linear"
    assert [line.get_ydata()[1] for line in fid.lines] == [30, 20]
    assert [line.get_ydata()[1] for line in kid.lines] == [0.1, 0.1]


def test_progress_has_a_curve_of_its_own_for_each_of_many_kinds():
    found = {str(number): [{0: {"FID": 9.0}, 5: {"FID": float(number)}}] for number in range(1, 8)}
    [axes] = pictures.plot_progress(found, ("FID",), "title").axes
    assert [line.get_ydata()[1] for line in axes.lines] == [1, 2, 3, 4, 5, 6, 7]
    assert len({(line.get_color(), line.get_marker()) for line in axes.lines}) == 7


def test_progress_of_seeds_is_at_the_updates_that_all_have():
    """A run that was continued to 4, then to 6, was examined at 4, too."""
    tables = [{update: {"FID": float(update)} for update in updates} for updates in ((0, 3, 4, 6), (0, 3, 6))]
    [axes] = pictures.plot_progress({"with": tables}, ("FID",), "title").axes
    assert axes.lines[0].get_xdata().tolist() == [0, 3, 6]
