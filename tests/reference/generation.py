"""The orders in which an image is written, in loops, from "Image Transformer", section 3."""


def positions(Y, X, block=None):
    """[(row, column)] in the order of generation."""
    qh, qw = block or (1, X)  # rows one after the other are blocks of one row
    order = []
    for top in range(0, Y, qh):
        for left in range(0, X, qw):
            for row in range(top, top + qh):
                for column in range(left, left + qw):
                    if row < Y and column < X:
                        order.append((row, column))
    return order


def shifted(image, block=None, each_block=False):
    """What each position of nested lists or an array [Y, X] gets; 0 where there is nothing before it."""
    Y, X = len(image), len(image[0])
    result = [[0] * X for _ in range(Y)]
    order = positions(Y, X, block)
    for (row, column), (row_before, column_before) in zip(order[1:], order):
        qh, qw = block or (1, X)
        same = (row // qh, column // qw) == (row_before // qh, column_before // qw)
        if same or not (each_block and block):
            result[row][column] = image[row_before][column_before]
    return result
