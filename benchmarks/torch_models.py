"""The Transformer of `training_steps.py` in PyTorch; apart from TensorFlow, beside which PyTorch may crash."""

import torch


def transformer(vocabulary, width=512, heads=8, hidden=2048, blocks=6, dropout=0.1):
    """`models.transformer_base` with `torch.nn.Transformer`, whose attention has biases."""

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.table = torch.nn.Embedding(vocabulary, width)
            torch.nn.init.normal_(self.table.weight, std=width**-0.5)
            self.dropout = torch.nn.Dropout(dropout)
            self.network = torch.nn.Transformer(width, heads, blocks, blocks, hidden, dropout, batch_first=True)

        def embed(self, tokens):
            angles = torch.arange(tokens.shape[1])[:, None] * 1e4 ** (-torch.arange(0, width, 2) / width)
            return self.dropout(self.table(tokens) * width**0.5 + torch.cat([angles.sin(), angles.cos()], dim=-1))

        def forward(self, source, target):
            causal = torch.nn.Transformer.generate_square_subsequent_mask(target.shape[1])
            padding = source == 0
            x = self.network(
                self.embed(source),
                self.embed(target),
                tgt_mask=causal,
                src_key_padding_mask=padding,
                memory_key_padding_mask=padding,
                tgt_is_causal=True,
            )
            return torch.nn.functional.linear(x, self.table.weight)

    return Model()
