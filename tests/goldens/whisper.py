"""Runs a small Whisper of transformers and stores weights, audio, spectrogram, logits, attention and generated tokens.

With two more arguments, the folder of Whisper tiny.en for CTranslate2 and a WAV file of 16,000 Hz, it stores what that
runtime computes, too: some of the encoder's states, and the tokens. Needs an environment with transformers and torch,
with the arguments ctranslate2, too; see `README.md`.
"""

import pathlib
import sys
import wave

import numpy as np
import torch
import transformers

FOLDER = pathlib.Path(__file__).parent
SIZES = {"vocab_size": 23, "encoder_layers": 2, "decoder_layers": 1, "d_model": 24, "encoder_attention_heads": 6}
SIZES |= {"decoder_attention_heads": 6, "encoder_ffn_dim": 20, "decoder_ffn_dim": 20, "num_mel_bins": 80}
SIZES |= {"max_source_positions": 50, "max_target_positions": 9, "attn_implementation": "eager"}
TOKENS = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 3}
SUPPRESSED, FIRST_SUPPRESSED = [5, 7], [11, 2]
RATE = 16000
STATES, ROWS = slice(None, None, 50), slice(None, None, 10)  # what is stored of them


def noisy(model, seed):
    """Random values for all weights, near 1 for the scales of normalizations, in float32 after rounding to float16."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            scale = "norm" in name and name.endswith("weight")
            weight.copy_((0.3 * torch.randn(weight.shape, generator=generator) + scale).half().float())
    return model.eval()


def small():
    """Outputs of a small network for two waveforms of noise, of 0.25 s each in a window of 1 s."""
    model = noisy(transformers.WhisperForConditionalGeneration(transformers.WhisperConfig(**SIZES, **TOKENS)), 0)
    audio = np.random.default_rng(9).integers(-9000, 9000, (2, 4000)).astype("int16")
    audio[1] //= 50
    features = transformers.WhisperFeatureExtractor(chunk_length=1)
    rows = [features(row / np.float32(32768), sampling_rate=RATE, return_tensors="pt") for row in audio]
    mel = torch.cat([row["input_features"] for row in rows])
    tokens = torch.randint(0, 23, (2, 7), generator=torch.Generator().manual_seed(9))
    suppressed = {"suppress_tokens": SUPPRESSED, "begin_suppress_tokens": FIRST_SUPPRESSED}
    config = transformers.GenerationConfig(**TOKENS, **suppressed, max_new_tokens=5)
    with torch.no_grad():
        whole = model(mel, decoder_input_ids=tokens, output_attentions=True)
        # Not Whisper's own `generate`, which adds tokens of language and time.
        generated = transformers.GenerationMixin.generate(
            model, mel, decoder_input_ids=tokens[:, :3], generation_config=config
        )
    found = {f"weights/{name}": x for name, x in model.state_dict().items()}
    found |= {"mel": mel, "tokens": tokens, "logits": whole.logits, "generated": generated[:, 3:]}
    found |= {
        "states": whole.encoder_last_hidden_state,
        "encoder_self": torch.stack(whole.encoder_attentions)[..., ROWS, :],
    }
    found |= {"decoder_self": torch.stack(whole.decoder_attentions)}
    found |= {"decoder_memory": torch.stack(whole.cross_attentions)}
    arrays = {"whisper/audio": audio}
    for key, x in found.items():
        half = x.is_floating_point() and x.half().float().equal(x)
        arrays[f"whisper/{key}"] = x.numpy().astype("float16") if half else x.numpy()
    np.savez_compressed(FOLDER / "whisper.npz", **arrays)


def tiny_en(folder, path):
    """Outputs of CTranslate2 for a spoken sentence."""
    import ctranslate2

    with wave.open(path) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (RATE, 1, 2), path
        audio = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    features = transformers.WhisperFeatureExtractor()
    mel = features(audio / np.float32(32768), sampling_rate=RATE, return_tensors="np")["input_features"]
    mel = ctranslate2.StorageView.from_array(np.ascontiguousarray(mel))
    model = ctranslate2.models.Whisper(folder, compute_type="float32")
    prompt = [50257, 50362]  # the start of a transcript, without times
    best = model.generate(mel, [prompt], beam_size=1)[0]
    states = np.array(model.encode(mel))[0, STATES]
    found = {"audio": audio, "prompt": prompt, "states": states, "tokens": best.sequences_ids[0]}
    np.savez_compressed(FOLDER / "whisper_tiny_en.npz", **{f"whisper_tiny_en/{key}": x for key, x in found.items()})
    print("".join(best.sequences[0]))


if __name__ == "__main__":
    small()
    if sys.argv[1:]:
        tiny_en(*sys.argv[1:])
