"""What lips follow, in NumPy and double precision, written from the description of FaceFusion's
method: sound to voice, voice to the columns of a mel spectrogram, and those of a frame."""
import math

import numpy as np

RATE, PART, STEP = 48000, 240 * 1024, 180 * 1024
WINDOW, HOP, EDGE, BINS = 7680, 1024, 3840, 3072


# ---- voice --------------------------------------------------------------------------------------

def spectrum(x, columns):
    """[length] to complex [3841,columns]."""
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / (WINDOW - 1))
    x = np.pad(x, EDGE)
    return np.stack([np.fft.rfft(x[t * HOP:t * HOP + WINDOW] * hann) for t in range(columns)], 1)


def sound_of(bins, length):
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / (WINDOW - 1))
    total, weight = np.zeros(length + WINDOW), np.zeros(length + WINDOW)
    for t in range(bins.shape[1]):
        at = slice(t * HOP, t * HOP + WINDOW)
        total[at] += np.fft.irfft(bins[:, t], WINDOW) * hann
        weight[at] += hann ** 2
    return total[EDGE:-EDGE] / weight[EDGE:-EDGE]


def run_piece(piece, network, columns):
    """[2,length] through the network, which gets and gives [4,3072,columns]."""
    parts = []
    for channel in piece:
        bins = spectrum(channel, columns)[:BINS]
        parts += [bins.real, bins.imag]
    out = network(np.stack(parts))
    full = np.zeros((2, WINDOW // 2 + 1, columns), complex)
    full[:, :BINS] = out[0::2] + 1j * out[1::2]
    return np.stack([sound_of(bins, piece.shape[1]) for bins in full])


def run_part(part, network, columns):
    """[n,2] of 16 bits to the voice."""
    x, n = part.T / 32767, len(part)
    length = (columns - 1) * HOP
    step = length - 2 * EDGE
    pad = step - n % step
    padded = np.pad(x, ((0, 0), (EDGE, EDGE + pad)))
    out = [run_piece(padded[:, at:at + length], network, columns)[:, EDGE:-EDGE]
           for at in range(0, n + pad, step)]
    return np.concatenate(out, 1)[:, :n].T


def voice(samples, network, columns=256):
    total, count = np.zeros(samples.shape), np.zeros((len(samples), 1))
    for at in range(0, len(samples), STEP):
        total[at:at + PART] += run_part(samples[at:at + PART], network, columns)
        count[at:at + PART] += 1
    return total / np.maximum(count, 1)


# ---- columns ------------------------------------------------------------------------------------

def resample(x, num):
    """As one period, to fewer samples."""
    n = len(x)
    bins = np.fft.rfft(x)[:num // 2 + 1]
    if num % 2 == 0:
        bins[-1] *= 2
    return np.fft.irfft(bins, num) * (num / n)


def filters():
    low, high = (2595 * math.log10(1 + f / 700) for f in (55.0, 7600.0))
    points = [math.floor(801 * 700 * (10 ** ((low + (high - low) * i / 81) / 2595) - 1) / 16000)
              for i in range(82)]
    out = np.zeros((80, 401))
    for i in range(80):
        n = points[i + 1] - points[i]
        k = np.minimum(np.arange(n), n - 1 - np.arange(n))
        out[i, points[i]:points[i + 1]] = 2 * (k + 1) / (n + 1) if n % 2 else (2 * k + 1) / n
    return out


def columns_of(x):
    """Sound [n,2] of 48 kHz to [count,80]."""
    num = round(len(x) * 16000 / 48000)
    y = resample(x.mean(1), num)
    y = y / np.abs(y).max() if np.abs(y).max() else y
    y = np.append(y[:1], y[1:] - 0.97 * y[:-1])
    hann = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(800) / 800)) / 400
    y = np.pad(y, (400, 400))
    y = np.pad(y, (0, -(len(y) - 800) % 200))
    windows = [y[at:at + 800] * hann for at in range(0, len(y) - 799, 200)]
    return np.abs(np.fft.rfft(windows)) @ filters().T


# ---- frames -------------------------------------------------------------------------------------

def window(columns, number, fps):
    """Of frame `number` after the sound's beginning: [80,16], silence where there is none. The columns
    at which frames end are 0, 80 / fps, 2 * 80 / fps, ..., of which those below 16 are left out."""
    step = 80 / fps
    number += next(k for k in range(1000) if int(k * step) >= 16)
    end = math.floor(number * step)
    out = np.zeros((80, 16))
    for i, at in enumerate(range(end - 16, end)):
        if 0 <= at < len(columns):
            out[:, i] = columns[at]
    return out
