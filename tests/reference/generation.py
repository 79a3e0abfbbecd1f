"""The generation orders of "Image Transformer", section 3, in loops."""


def positions(Y, X, block=None):
    """[(row, column)] in generation order."""
    qh, qw = block or (1, X)  # raster scan: blocks of one row
    order = []
    for top in range(0, Y, qh):
        for left in range(0, X, qw):
            for row in range(top, top + qh):
                for column in range(left, left + qw):
                    if row < Y and column < X:
                        order.append((row, column))
    return order


def shifted(image, block=None, each_block=False):
    """Shifts nested lists or an array [Y, X] by one position in generation order; the first gets 0."""
    Y, X = len(image), len(image[0])
    result = [[0] * X for _ in range(Y)]
    order = positions(Y, X, block)
    for (row, column), (row_before, column_before) in zip(order[1:], order):
        qh, qw = block or (1, X)
        same = (row // qh, column // qw) == (row_before // qh, column_before // qw)
        if same or not (each_block and block):
            result[row][column] = image[row_before][column_before]
    return result
